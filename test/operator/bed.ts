import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, expect } from 'vitest';
import { admit } from '../../cli/tokens.ts';
import { type Release, startRelease } from '../../cli/up/release.ts';
import { createLedger, type Ledger } from '../../ledger/ledger.ts';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { createJournal } from '../../lua/journal.ts';
import { stockKeys } from '../../lua/keys.ts';
import { createStock, type Stock } from '../../lua/stock.ts';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { Phase } from '../../operator/api/status.ts';
import type { EffectDeps } from '../../operator/effects/deps.ts';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { createObjectStore, type ObjectStore } from '../../operator/platform/host/object-store.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { createFaults } from '../../services/kit/fault-points.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { readTokenKeys } from '../../services/kit/token-keys.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { type Bought, buyUnit } from '../support/buy.ts';
import { eventually } from '../support/eventually.ts';
import { nodeEnv } from '../support/node-env.ts';
import { tempDir } from '../support/temp-dir.ts';
import { plainManifest, withField } from './manifests.ts';

/** Long enough for a machine that does other things as well. */
export const PATIENT = { deadlineMs: 120_000, intervalMs: 50 };

export interface OperatorProcess {
  pid: number;
  /** The signal that ended it, or its code. */
  ended: Promise<NodeJS.Signals | number | null>;
  kill(): Promise<void>;
}

export interface Bed {
  readonly dir: string;
  readonly store: ObjectStore;
  readonly redis: Redis;
  readonly stock: Stock;
  readonly ledger: Ledger;
  readonly release: Release;
  /** What effects work with, for an operator inside of the test. */
  readonly deps: EffectDeps;
  readonly podEnv: Record<string, string>;
  /** An operator as a process of its own, with a fault point if one is named. */
  operator(env?: Record<string, string>): Promise<OperatorProcess>;
  /** Kills the operators that still run: those of a test that failed would disturb its second attempt. */
  killOperators(): Promise<void>;
  /** Creates or changes an event; times are seconds from now, `fields` as in a manifest. */
  apply(name: string, o: { opensInS?: number; endsInS?: number; fields?: Record<string, unknown> }): Promise<void>;
  get(name: string): Promise<SeckillEvent>;
  reaches(name: string, phase: Phase): Promise<SeckillEvent>;
  /** New buyers, all at once, each of whom asks until he has a definite answer. */
  buy(name: string, buyers: number): Promise<Bought[]>;
  /** Deletes all keys of the sale's stock, as a Redis that was emptied. */
  forget(name: string): Promise<void>;
}

/** A platform of this test file without any operator: tests bring their own, as many as they need, to break them. */
export function platformOfFile(): Bed {
  const dir = tempDir();
  const folder = stateFolder(dir);
  const log = pino({ level: 'silent' });
  const stopping = new AbortController();
  const operators = new Set<OperatorProcess>();
  let parts: { release: Release; link: RedisLink; redis: Redis; deps: EffectDeps } | undefined;
  const started = () => {
    if (parts === undefined) throw new Error('the platform starts in beforeAll: use it inside of a hook or a test');
    return parts;
  };
  const written = new Map<string, Record<string, unknown>>();
  let buyers = 0;

  beforeAll(async () => {
    const release = await startRelease({
      ...{ stateDir: dir, manifests: [], operators: 0, relays: 1, orders: 1, port: await freePort() },
      servers: (report) => serverOptions(process.env, report),
      log: () => {},
      signal: stopping.signal,
    });
    const { redis: redisUrl, mysql, kafka: brokers } = release.endpoints();
    const link = connectRedis({ url: redisUrl, log, name: 'test', commandTimeoutMs: 5_000 });
    await link.ready();
    const kafka = createKafka({ brokers, clientId: 'test', log });
    const deps: EffectDeps = {
      ...{ link, stock: createStock({ link }), journal: createJournal({ link }), kafka, admin: kafka.admin() },
      ...{ ledger: createLedger({ url: mysql, log }), faults: createFaults({}), clock: systemClock, log },
    };
    parts = { release, link, redis: new Redis(redisUrl), deps };
  }, 300_000);

  afterAll(async () => {
    await bed.killOperators();
    if (parts === undefined) return;
    const { release, link, redis, deps } = parts;
    redis.disconnect();
    await Promise.all([link.close(), deps.admin.close(), deps.ledger.close()]);
    await release.stop();
  }, 240_000);

  const store = createObjectStore(folder.events);
  const podEnv = () => ({
    ...{ ...nodeEnv(), SECKILL_LOG_LEVEL: 'warn' },
    ...{ SECKILL_REDIS_URL: started().release.endpoints().redis, SECKILL_TOKEN_KEYS_FILE: folder.tokenKeys },
  });

  const bed: Bed = {
    dir,
    store,
    get redis() {
      return started().redis;
    },
    get stock() {
      return started().deps.stock;
    },
    get ledger() {
      return started().deps.ledger;
    },
    get release() {
      return started().release;
    },
    get deps() {
      return started().deps;
    },
    get podEnv() {
      return podEnv();
    },

    async operator(env = {}) {
      const { mysql, kafka } = started().release.endpoints();
      const output = openSync(join(folder.logs, 'test-operators.log'), 'a');
      const child = spawn(process.execPath, [fileURLToPath(new URL('../../operator/main.ts', import.meta.url))], {
        stdio: ['ignore', output, output],
        env: {
          ...podEnv(),
          ...{ SECKILL_MYSQL_URL: mysql, SECKILL_KAFKA_BROKERS: kafka.join(','), SECKILL_STATE_DIR: dir },
          ...{ SECKILL_PORT: String(await freePort()), SECKILL_LOG_LEVEL: 'info', ...env },
        },
      });
      closeSync(output);
      const ended = new Promise<NodeJS.Signals | number | null>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal ?? code));
      });
      const operator: OperatorProcess = {
        pid: child.pid ?? 0,
        ended,
        async kill() {
          child.kill('SIGKILL');
          await ended;
        },
      };
      operators.add(operator);
      void ended.then(() => operators.delete(operator));
      return operator;
    },

    async killOperators() {
      await Promise.all([...operators].map((operator) => operator.kill()));
    },

    async apply(name, { opensInS, endsInS, fields = {} }) {
      const atS = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
      const changes = {
        ...{ 'metadata.name': name, 'spec.schedule.preheatSeconds': 3_600, 'spec.schedule.prescaleSeconds': 3_600 },
        ...written.get(name),
        ...(opensInS === undefined ? {} : { 'spec.schedule.startTime': atS(opensInS) }),
        ...(endsInS === undefined ? {} : { 'spec.schedule.endTime': atS(endsInS) }),
        ...fields,
      };
      written.set(name, changes);
      const manifest = Object.entries(changes).reduce(
        (at, [path, value]) => withField(at, path, value),
        plainManifest(),
      );
      const checked = checkManifest(manifest);
      if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join('\n'));
      // What the check of changes would refuse comes to the operator where a change slips past it, and is its to refuse.
      await store.apply(checked.event, Date.now(), () => []);
    },

    async get(name) {
      const event = await store.get(`shop/${name}`);
      if (event === undefined) throw new Error(`there is no event ${name}`);
      return event;
    },

    reaches: (name, phase) =>
      eventually(async () => {
        const event = await bed.get(name);
        expect(event.status?.phase).toBe(phase);
        return event;
      }, PATIENT),

    async buy(name, count) {
      const { status } = await bed.get(name);
      if (status?.eventId === undefined) throw new Error(`${name} has no event id yet`);
      buyers += 1;
      const sale = { eventId: status.eventId, endMs: Date.parse(status.endTime) };
      const who = { count, nowMs: Date.now(), prefix: `b${buyers}` };
      const url = `${started().release.endpoints().sale}/v1/events/shop/${name}`;
      const admitted = admit(readTokenKeys(folder.tokenKeys), sale, who);
      return Promise.all(admitted.map(({ token }) => buyUnit(url, token)));
    },

    async forget(name) {
      const { status } = await bed.get(name);
      await started().redis.del(...stockKeys(status?.eventId ?? '', 0));
    },
  };
  return bed;
}

/** How many of the answers were a success. */
export const won = (answers: readonly Bought[]): number => answers.filter(({ status }) => status === 201).length;

/** Waits until the pods sell: the edge, and the pods' registry, are a moment behind the operator. */
export async function sells(bed: Bed, name: string): Promise<void> {
  await eventually(async () => expect(won(await bed.buy(name, 1))).toBe(1), PATIENT);
}

export const ALL_ZERO = { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 };
