import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeEntry } from '../../lua/journal-entry.ts';
import { journalKey } from '../../lua/keys.ts';
import { createEffects } from '../../operator/effects/effects.ts';
import { lead } from '../../operator/operator.ts';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { createHostPlatform } from '../../operator/platform/host/host.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { recordFault, saidOf } from '../faults/record.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { ALL_ZERO, PATIENT, platformOfFile, sells, won } from './bed.ts';

const bed = platformOfFile();
const folder = stateFolder(bed.dir);
const leaders: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all([bed.killOperators(), ...leaders.splice(0).map((leader) => leader.stop())]);
});

/** A leader that nobody elected, inside of the test and until its end. */
function forcedLeader(): void {
  const { deps } = bed;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const pod = { command: process.execPath, args: [`${root}services/seckill/main.ts`], env: bed.podEnv, cwd: root };
  const platform = createHostPlatform({ stateDir: bed.dir, pod, log: deps.log, clock: systemClock });
  const stopping = new AbortController();
  const effects = createEffects(deps);
  const leading = lead({ platform, effects, admin: deps.admin, replicationFactor: 1, log: deps.log }, stopping.signal);
  leaders.push({
    async stop() {
      stopping.abort();
      await leading;
      await platform.close();
    },
  });
}

async function podsOf(name: string): Promise<number[]> {
  const records = (await listRecords(folder.processes)).map(({ value }) => value);
  const mine = records.filter((record) => record.serves === `shop/${name}` && record.state !== 'stopped');
  return mine.map(({ identity }) => identity?.pid ?? 0).sort();
}

/** When the first unit was held, by the clock of Redis. */
async function firstHoldMs(eventId: string): Promise<number> {
  const entries = await bed.redis.xrange(journalKey(eventId, 0), '-', '+', 'COUNT', 100);
  const held = entries.map(([id, fields]) => decodeEntry(id, fields)).find(({ type }) => type === 'held');
  if (held?.type !== 'held') throw new Error('nothing was held');
  return held.atMs;
}

/** Everything that an operator may write of events, with its time. */
function writtenFiles(): string[] {
  const events = readdirSync(folder.events, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder.events, name),
  );
  const stamps = [...events, folder.notices].filter((path) => statSync(path).isFile());
  return stamps.map((path) => `${path} ${statSync(path, { bigint: true }).mtimeNs}`);
}

/** So long nothing may be written. */
const QUIET_MS = 8_000;

describe('operators', () => {
  test('that are all dead five seconds before the start do not keep a sale from opening on time', {
    timeout: 180_000,
  }, async () => {
    const name = randomEventName();
    const operators = [await bed.operator(), await bed.operator()];
    // The pods of a loaded machine need their time; the sale is armed well before its start.
    await bed.apply(name, { opensInS: 30, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 10 } });
    const { status } = await bed.reaches(name, 'Armed');
    const startMs = Date.parse(status?.startTime ?? '');
    await eventually(() => Date.now() >= startMs - 5_000, PATIENT);
    for (const operator of operators) await operator.kill();
    const early = await bed.buy(name, 1);
    expect(early[0]?.body.code).toBe('SECKILL_ERR_NOT_OPEN');
    await eventually(() => Date.now() >= startMs + 50, PATIENT);
    expect(won(await bed.buy(name, 20))).toBe(10);
    const opened = (await firstHoldMs(status?.eventId ?? '')) - startMs;
    expect(opened).toBeGreaterThanOrEqual(0);
    recordFault('operators-dead', { said: `${saidOf(status, 'Armed')} (as it was)`, seconds: opened / 1_000 });

    await bed.apply(name, { fields: { 'spec.closed': true } });
    await bed.operator();
    expect((await bed.reaches(name, 'Settled')).status?.accuracy).toEqual(ALL_ZERO);
  });

  test('take over from a killed leader within seconds, with the pods that run', { timeout: 240_000 }, async () => {
    const name = randomEventName();
    const leader = await bed.operator();
    await bed.apply(name, { opensInS: -1, endsInS: 3_600 });
    await bed.reaches(name, 'Open');
    const pods = await podsOf(name);
    expect(pods).toHaveLength(2);
    const port = await freePort();
    await bed.operator({ SECKILL_PORT: String(port) });
    // How long Node takes to start it is not the question.
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200), PATIENT);
    await leader.kill();
    const killedAtMs = performance.now();
    await bed.apply(name, { fields: { 'spec.paused': true } });
    await bed.reaches(name, 'Paused');
    // 3 s of the lease, and what a loaded machine adds.
    expect(performance.now() - killedAtMs).toBeLessThan(15_000);
    expect(await podsOf(name)).toEqual(pods);
    const [victim = 0] = pods;
    process.kill(victim, 'SIGKILL');
    await eventually(async () => {
      const now = await podsOf(name);
      expect(now).toHaveLength(2);
      expect(now).not.toContain(victim);
    }, PATIENT);
    await bed.store.delete(`shop/${name}`, Date.now());
    await eventually(async () => expect(await bed.store.get(`shop/${name}`)).toBeUndefined(), PATIENT);
  });

  test('of which two lead at once do nothing twice', { timeout: 240_000 }, async () => {
    const name = randomEventName();
    for (let leader = 0; leader < 3; leader += 1) forcedLeader();
    await bed.apply(name, { opensInS: 5, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 40 } });
    await eventually(async () => expect(['Armed', 'Open']).toContain((await bed.get(name)).status?.phase), PATIENT);
    await bed.reaches(name, 'Open');
    await sells(bed, name);
    expect(await podsOf(name)).toHaveLength(2);
    await bed.apply(name, { fields: { 'spec.stock.totalUnits': 50 } });
    await eventually(async () => expect((await bed.get(name)).status?.stock?.total).toBe(50), PATIENT);
    await bed.forget(name);
    await eventually(async () => {
      const { status } = await bed.get(name);
      const event = await bed.ledger.events.get(status?.eventId ?? '');
      expect(event).toMatchObject({ state: 'warmed' });
      expect(event?.rebuilds).toBeGreaterThan(0);
      expect(status?.phase).toBe('Open');
    }, PATIENT);
    await sells(bed, name);
    // Two leaders may rebuild one after the other: who comes meanwhile is told to come again.
    await eventually(async () => {
      await bed.buy(name, 20);
      expect((await bed.get(name)).status?.phase).toBe('SoldOut');
    }, PATIENT);
    await bed.apply(name, { fields: { 'spec.closed': true } });
    const { status } = await bed.reaches(name, 'Settled');
    const { broken: _lostWithRedis, ...others } = status?.accuracy ?? ALL_ZERO;
    expect({ ...others, broken: 0 }).toEqual(ALL_ZERO);
    expect((await bed.ledger.orders.countByState(status?.eventId ?? '')).PENDING_PAYMENT).toBe(50);
    await eventually(async () => expect(await podsOf(name)).toEqual([]), PATIENT);
  });

  test('write nothing when nothing changed', { timeout: 240_000 }, async () => {
    const name = randomEventName();
    await bed.operator();
    await bed.apply(name, {
      opensInS: 86_400,
      endsInS: 90_000,
      fields: { 'spec.schedule.preheatSeconds': 600, 'spec.schedule.prescaleSeconds': 300 },
    });
    await bed.reaches(name, 'Scheduled');
    await eventually(async () => expect((await bed.get(name)).metadata.finalizers).toHaveLength(1), PATIENT);
    // The event id stands in the status that follows the opening of the edition.
    await eventually(async () => expect((await bed.get(name)).status?.eventId).toBe(`shop.${name}.1`), PATIENT);
    // What earlier changes still bring may be written after that; then nothing, for a whole window.
    let [before, sinceMs] = [writtenFiles(), performance.now()];
    await eventually(
      () => {
        const now = writtenFiles();
        if (now.join() !== before.join()) [before, sinceMs] = [now, performance.now()];
        return performance.now() - sinceMs >= QUIET_MS;
      },
      { intervalMs: 250 },
    );
    expect(await podsOf(name)).toEqual([]);
  });
});
