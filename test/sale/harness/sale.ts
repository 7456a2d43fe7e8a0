import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { LOAD_RETRIES_MAX } from '../../../cli/load/limits.ts';
import type { LoadResult } from '../../../cli/load/result.ts';
import { prepareLoad } from '../../../cli/load/run.ts';
import type { Platform } from '../../../cli/platform.ts';
import { requireTokenKeys } from '../../../cli/state.ts';
import { admit } from '../../../cli/tokens.ts';
import type { LedgerEvent } from '../../../ledger/rows.ts';
import type { StockSnapshot } from '../../../lua/stock.ts';
import { API_VERSION, KIND } from '../../../operator/api/seckill-event.ts';
import type { SeckillEventStatus } from '../../../operator/api/status.ts';
import type { Routes } from '../../../operator/platform/host/routes.ts';
import { readEventNotices, readEvents } from '../../../operator/platform/host/state.ts';
import { stateFolder } from '../../../operator/platform/host/state-folder.ts';
import { eventIdOf, eventKeyOf } from '../../../services/domain/event.ts';
import { HOLDS_TOPIC, ORDER_GROUP } from '../../../services/kit/kafka/topics.ts';
import { eventually } from '../../support/eventually.ts';
import { randomEventName } from '../../support/names.ts';
import { type Judgement, judge } from './judge.ts';
import { type Stand, withPlatform } from './stand.ts';

/** What the manifest says. */
export interface SaleSpec {
  units: number;
  unitsPerBuyer: number;
  pods: number;
  startMs: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
}

export interface Sale {
  readonly key: string;
  readonly eventId: string;
  readonly spec: Readonly<SaleSpec>;
  readonly manifest: string;
  status(): Promise<SeckillEventStatus | undefined>;
  /** Waits for a status that fits; what the operator says is in the error. */
  until(what: string, fits: (status: SeckillEventStatus) => boolean, deadlineMs?: number): Promise<SeckillEventStatus>;
  /** Waits until the ledger and Redis have this total. */
  untilTotal(units: number): Promise<void>;
  /** Waits until the ledger gives so many preheats and rebuilds, the last of which may still be under way. */
  untilGeneration(generation: number): Promise<void>;
  /** Waits until the ledger has accepted what the manifest says, and Redis has been told. */
  untilFollowed(): Promise<void>;
  /** Open, with all its pods ready. */
  open(deadlineMs?: number): Promise<void>;
  /** Edits the manifest, as a person would. */
  change(changes: Partial<SaleSpec>): void;
  /** Lets buyers in, from now on, each for one unit unless told otherwise. */
  play(crowd: Crowd): Promise<Play>;
  /** Lets one crowd after the other in for as long as the work takes; answers all of them. */
  playDuring(work: () => Promise<unknown>, crowd?: Crowd): Promise<Play[]>;
  /** Brings the stock down to a few units and lets more buyers in than those suffice for. */
  sellOut(): Promise<Play>;
  /** Closes it, waits for the settlement and compares everybody's books. */
  finish(plays: readonly Play[], cancelled?: readonly string[]): Promise<Judgement>;
}

export interface Crowd {
  buyers: number;
  /** From the first arrival to the last. */
  overMs: number;
  units?: number;
  seed?: number;
  /** Their names begin with it; crowds of one prefix are the same people, who try again with other tokens. */
  prefix?: string;
}

/** Buyers on their way. */
export interface Play {
  /** How many have won so far. */
  held(): number;
  answered(): number;
  /** Resolves when so many have won: the middle of a sale. */
  untilHeld(count: number): Promise<void>;
  result: Promise<LoadResult>;
}

/** They end only what would fail anyway: on a busy machine a process alone may need many seconds to start. */
const OPEN_DEADLINE_MS = 90_000;
const SETTLE_DEADLINE_MS = 120_000;
const POLL = { deadlineMs: OPEN_DEADLINE_MS, intervalMs: 20 } as const;
const HOUR_MS = 3_600_000;
const CONNECTIONS = 32;
const WAVE: Crowd = { buyers: 60, overMs: 2_000 };
const SELL_OUT_UNITS = 40;
/** More than the longest fault of the campaign. */
const PATIENCE_MS = 45_000;

const manifestOf = (name: string, spec: SaleSpec): object => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name, namespace: 'test' },
  spec: {
    product: { sku: 'MUG-1', title: 'Enamel mug', priceMinor: 990, currency: 'EUR' },
    stock: { totalUnits: spec.units },
    schedule: {
      startTime: new Date(spec.startMs).toISOString(),
      endTime: new Date(spec.endMs).toISOString(),
      preheatSeconds: 3_600,
      prescaleSeconds: 3_600,
    },
    limits: { unitsPerBuyer: spec.unitsPerBuyer },
    scaling: { minReplicas: 1, openReplicas: spec.pods },
    paused: spec.paused,
    closed: spec.closed,
  },
});

/** Applies a manifest of a new name. Unless it says otherwise it opens as soon as the operator can open it. */
export function applySale(stand: Stand, wanted: Partial<SaleSpec> & { units: number }): Sale {
  const name = randomEventName();
  const folder = join(stand.dir, 'manifests');
  const manifest = join(folder, `${name}.yaml`);
  const key = eventKeyOf({ namespace: 'test', name });
  const nowMs = Date.now();
  const defaults = { unitsPerBuyer: 1, pods: 2, startMs: nowMs, endMs: nowMs + HOUR_MS, paused: false, closed: false };
  let spec: SaleSpec = { ...defaults, ...wanted };

  /** Whole or not at all: the platform reads the file while we write it. */
  function write(): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${manifest}.new`, stringify(manifestOf(name, spec)));
    renameSync(`${manifest}.new`, manifest);
    stand.release.applyManifest(manifest);
  }

  async function status(): Promise<SeckillEventStatus | undefined> {
    const events = await readEvents(stand.stateDir);
    return events.find(({ metadata }) => metadata.name === name)?.status;
  }

  /** What is to be read about the sale when a wait for it has failed. */
  async function story(): Promise<string> {
    const now = await status();
    const seen = now === undefined ? 'no status' : `${now.phase} (${now.reason}), ${JSON.stringify(now.stock)}`;
    const failing = now?.checks
      .filter(({ passed }) => !passed)
      .map(({ name: check, message }) => `${check}: ${message}`);
    const notices = (await readEventNotices(stand.stateDir, key)).map(({ reason, message }) => `${reason}: ${message}`);
    return [seen, ...(failing ?? []), ...notices.slice(-12), ...stand.told.slice(-12)].join('\n  ');
  }

  async function until(what: string, fits: (status: SeckillEventStatus) => boolean, deadlineMs = OPEN_DEADLINE_MS) {
    return eventually(
      async () => {
        const now = await status();
        if (now !== undefined && fits(now)) return now;
        throw new Error(`${key} is not ${what}: ${await story()}`);
      },
      { deadlineMs, intervalMs: 50 },
    );
  }

  /** Waits until what the ledger and Redis say at one moment passes. */
  function books(check: (event: LedgerEvent, stock: StockSnapshot) => void): Promise<void> {
    return withPlatform(stand, ({ ledger, stock }) =>
      eventually(async () => {
        const event = await ledger.events.get(sale.eventId);
        if (event === undefined) throw new Error(`the ledger does not know ${sale.eventId}`);
        const { generation, runs } = event;
        const seen = await stock.snapshot({ eventId: sale.eventId, bucket: 0, generation, run: runs[0] ?? '' });
        if (seen.status !== 'ok') throw new Error(`the stock of ${sale.eventId} cannot be read: ${seen.status}`);
        check(event, seen);
      }, POLL),
    ).catch(async (error: unknown) => {
      throw new Error(`the books of ${key} never said so: ${await story()}`, { cause: error });
    });
  }

  write();
  const sale: Sale = {
    key,
    eventId: eventIdOf({ namespace: 'test', name, edition: 1 }),
    get spec() {
      return spec;
    },
    manifest,
    status,
    until,
    untilTotal: (units) =>
      books(({ totalUnits }, stock) => {
        expect({ ledger: totalUnits, redis: stock.totalUnits }).toEqual({ ledger: units, redis: units });
      }),
    untilGeneration: (generation) =>
      withPlatform(stand, ({ ledger }) =>
        eventually(async () => {
          const event = await ledger.events.get(sale.eventId);
          expect(event?.generation).toBeGreaterThanOrEqual(generation);
        }, POLL),
      ),
    untilFollowed: () =>
      books(({ targetUnits, paused, closed, totalUnits, revision, state }, stock) => {
        expect({ targetUnits, paused, closed }).toEqual({
          ...{ targetUnits: spec.units, paused: spec.paused, closed: spec.closed },
        });
        expect({ state, revision, totalUnits }).toEqual({
          ...{ state: 'warmed', revision: stock.revision, totalUnits: stock.totalUnits },
        });
      }),
    async open(deadlineMs) {
      await until('open', ({ phase }) => phase === 'Open', deadlineMs);
      await eventually(() => {
        // The status counts pods now and then; the edge is told of each at once.
        const routes = JSON.parse(readFileSync(stateFolder(stand.stateDir).routes, 'utf8')) as Routes;
        const ready = routes.events[key]?.length ?? 0;
        if (ready < spec.pods) throw new Error(`${ready} of ${spec.pods} pods are served by the edge`);
      }, POLL);
    },
    change(changes) {
      spec = { ...spec, ...changes };
      write();
    },
    async playDuring(work, crowd = WAVE) {
      let over = false;
      const working = work().finally(() => {
        over = true;
      });
      const plays: Play[] = [];
      // Who awaits `working` below hears of its failure; until then it is nobody's.
      working.catch(() => undefined);
      while (!over) {
        const wave = await sale.play(crowd);
        plays.push(wave);
        await Promise.race([wave.result, working]);
      }
      await working;
      await Promise.all(plays.map(({ result }) => result));
      return plays;
    },
    async sellOut() {
      const soldUnits = await withPlatform(stand, ({ ledger, kafka, journal }) =>
        eventually(async () => {
          // A hold that waits in the journal or in Kafka still needs its place under the total.
          expect((await journal.progress(sale.eventId, 0)).drained).toBe(true);
          expect(await lagOf(kafka)).toBe(0n);
          const event = await ledger.events.get(sale.eventId);
          if (event === undefined) throw new Error(`the ledger does not know ${sale.eventId}`);
          // The platform refuses a total below the units that its status calls sold, and a status may be of a while ago.
          expect((await status())?.stock?.sold).toBe(event.soldUnits);
          return event.soldUnits;
        }, POLL),
      );
      sale.change({ units: soldUnits + SELL_OUT_UNITS, paused: false });
      await sale.untilFollowed();
      const last = await sale.play({ buyers: 2 * SELL_OUT_UNITS, overMs: 500 });
      await last.result;
      return last;
    },
    play: (crowd) => play(stand, name, { ...crowd, endMs: spec.endMs }),
    async finish(plays, cancelled = []) {
      const loads = await Promise.all(plays.map(({ result }) => result));
      if (!spec.closed && Date.now() < spec.endMs) sale.change({ closed: true });
      const settled = await until('settled', ({ phase }) => phase === 'Settled', SETTLE_DEADLINE_MS);
      return judge(stand, sale, { loads, cancelled, settled });
    },
  };
  return sale;
}

/** Messages that the order consumers have yet to take. */
async function lagOf(kafka: Platform['kafka']): Promise<bigint> {
  const ends = await kafka.endOffsets(HOLDS_TOPIC);
  const taken = await kafka.takenOffsets(ORDER_GROUP, HOLDS_TOPIC);
  return [...ends].reduce((lag, [partition, end]) => lag + end - (taken.get(partition) ?? 0n), 0n);
}

let crowds = 0;

async function play(stand: Stand, name: string, crowd: Crowd & { endMs: number }): Promise<Play> {
  crowds += 1;
  const { buyers: count, overMs, units = 1, seed = 7, prefix = `crowd-${crowds}`, endMs } = crowd;
  const eventId = eventIdOf({ namespace: 'test', name, edition: 1 });
  const keys = requireTokenKeys(stand.stateDir);
  const buyers = admit(keys, { eventId, endMs }, { count, nowMs: Date.now(), prefix });
  const seen = { answered: 0, held: 0 };
  const load = await prepareLoad(
    {
      ...{ url: stand.release.endpoints().sale, namespace: 'test', name, units, buyers },
      arrivals: { kind: 'rate', perSecond: Math.max(1, (count * 1_000) / overMs) },
      ...{ retries: LOAD_RETRIES_MAX, connections: CONNECTIONS, workers: 1, seed, drainMs: PATIENCE_MS },
    },
    { signal: new AbortController().signal, onProgress: (progress) => Object.assign(seen, progress) },
  );
  const result = load.play(Date.now());
  // Whoever awaits it hears of it; a test that fails before must not hear of it twice.
  result.catch(() => undefined);
  return {
    held: () => seen.held,
    answered: () => seen.answered,
    async untilHeld(least) {
      await eventually(
        () => {
          if (seen.held < least) throw new Error(`${seen.held} buyers have won, not yet ${least}`);
        },
        { deadlineMs: OPEN_DEADLINE_MS },
      );
    },
    result,
  };
}
