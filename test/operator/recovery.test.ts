import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createEffects } from '../../operator/effects/effects.ts';
import { DRAIN_TIMEOUT_MS } from '../../operator/effects/limits.ts';
import { FAULT_POINTS } from '../../services/kit/fault-points.ts';
import { recordFault, saidOf, stopwatch } from '../faults/record.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { ALL_ZERO, type Bed, PATIENT, platformOfFile, sells, won } from './bed.ts';

const bed = platformOfFile();
afterEach(() => bed.killOperators());
const POINTS = FAULT_POINTS.filter((point) => point.startsWith('operator.recover.'));

/** All that was held is in the ledger and committed, so that forgetting it loses nothing. */
async function drained(name: string): Promise<void> {
  await eventually(async () => {
    const { status } = await bed.get(name);
    const event = await bed.ledger.events.get(status?.eventId ?? '');
    const run = event?.runs[0] ?? '';
    const seen = await bed.stock.snapshot({ eventId: event?.eventId ?? '', bucket: 0, generation: 0, run });
    if (seen.status !== 'ok') throw new Error(seen.status);
    expect({ held: seen.heldUnits, committed: seen.committedUnits }).toEqual({ held: 0, committed: event?.soldUnits });
  }, PATIENT);
}

async function sellsOutExactly(at: Bed, name: string, totalUnits: number): Promise<void> {
  const sold = won(await at.buy(name, totalUnits + 20));
  const { status } = await at.reaches(name, 'SoldOut');
  expect(sold).toBeGreaterThan(0);
  await at.apply(name, { fields: { 'spec.closed': true } });
  const settled = await at.reaches(name, 'Settled');
  expect(settled.status?.accuracy).toEqual(ALL_ZERO);
  expect(settled.status?.stock).toMatchObject({ total: totalUnits, available: 0, held: 0 });
  expect((await at.ledger.orders.countByState(status?.eventId ?? '')).PENDING_PAYMENT).toBe(totalUnits);
}

describe('an operator that dies in the recovery of a Redis that was emptied', () => {
  test('at any point leaves a sale that the next one brings to its exact end', { timeout: 600_000 }, async () => {
    const name = randomEventName();
    await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 60 } });
    let operator = await bed.operator();
    await bed.reaches(name, 'Open');
    await sells(bed, name);
    let generation = (await bed.get(name)).status?.stockGeneration ?? 0;
    for (const point of POINTS) {
      await drained(name);
      await operator.kill();
      const dying = await bed.operator({
        SECKILL_FAULT: point,
        SECKILL_FAULT_MARKER: join(bed.dir, `died-${name}-${point}`),
      });
      await bed.forget(name);
      expect(await dying.ended, point).toBe('SIGKILL');
      operator = await bed.operator();
      await eventually(async () => {
        const { status } = await bed.get(name);
        expect(status?.phase, point).toBe('Open');
        expect(status?.stockGeneration, point).toBeGreaterThan(generation);
      }, PATIENT);
      generation = (await bed.get(name)).status?.stockGeneration ?? 0;
      await sells(bed, name);
    }
    await drained(name);
    await sellsOutExactly(bed, name, 60);
    await operator.kill();
  });
});

test('a recovery that waits for the consumers is looked at again and again, in one generation', {
  timeout: 120_000,
}, async () => {
  const name = randomEventName();
  await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 30 } });
  const operator = await bed.operator();
  await bed.reaches(name, 'Open');
  await sells(bed, name);
  await drained(name);
  const event = await bed.get(name);
  await operator.kill();
  const effects = createEffects(bed.deps);
  const present = async () => {
    const sale = await bed.ledger.events.get(event.status?.eventId ?? '');
    if (sale === undefined) throw new Error('the ledger has no such event');
    return sale;
  };
  const look = async () => {
    const action = { kind: 'recover', sale: await present(), reason: 'KeysMissing' } as const;
    return effects.run(event, action, new AbortController().signal);
  };
  const before = (await present()).generation;
  const order = bed.release.endpoints().processes.find(({ role }) => role === 'order')?.pid ?? 0;
  process.kill(order, 'SIGSTOP');
  try {
    expect(won(await bed.buy(name, 1))).toBe(1);
    // What is in Kafka and not in the ledger is not lost with Redis.
    await eventually(async () => {
      expect(await bed.deps.journal.progress((await present()).eventId, 0)).toMatchObject({ drained: true });
    }, PATIENT);
    await bed.forget(name);
    for (let count = 0; count < 3; count += 1) {
      const sinceMs = performance.now();
      expect(await look()).toMatchObject({ status: 'hindered', message: expect.stringMatching(/1 messages behind/) });
      expect(performance.now() - sinceMs).toBeLessThan(DRAIN_TIMEOUT_MS / 2);
      expect((await present()).generation).toBe(before + 1);
    }
  } finally {
    process.kill(order, 'SIGCONT');
  }
  await eventually(async () => expect(await look()).toEqual({ status: 'done' }), PATIENT);
  expect(await present()).toMatchObject({ generation: before + 1, state: 'warmed', soldUnits: 2 });
  const heir = await bed.operator();
  await sellsOutExactly(bed, name, 30);
  await heir.kill();
});

test('a Redis that is killed in mid-sale and comes back is noticed, and the sale ends exactly', {
  timeout: 240_000,
}, async () => {
  const name = randomEventName();
  await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 30 } });
  const operator = await bed.operator();
  await bed.reaches(name, 'Open');
  await sells(bed, name);
  await drained(name);
  const before = (await bed.get(name)).status?.stockGeneration ?? 0;
  const redis = bed.release.endpoints().processes.find(({ role }) => role === 'redis');
  await bed.redis.config('SET', 'appendfsync', 'always');
  await bed.buy(name, 3);
  process.kill(redis?.pid ?? 0, 'SIGKILL');
  const sinceKill = stopwatch();
  let said = '';
  await eventually(async () => {
    const { status } = await bed.get(name);
    if (said === '' || status?.phase === 'Recovering') said = saidOf(status, 'Ready');
    expect(status).toMatchObject({ phase: 'Open' });
    expect(status?.stockGeneration).toBeGreaterThan(before);
  }, PATIENT);
  recordFault('redis-restarted', { said, seconds: sinceKill() });
  await sells(bed, name);
  await sellsOutExactly(bed, name, 30);
  await operator.kill();
});
