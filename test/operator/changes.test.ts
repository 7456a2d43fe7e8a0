import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { stockKeys } from '../../lua/keys.ts';
import { readRegistry } from '../../lua/registry.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { ALL_ZERO, type OperatorProcess, PATIENT, platformOfFile, sells, won } from './bed.ts';

const bed = platformOfFile();
let operator: OperatorProcess;
beforeAll(async () => {
  operator = await bed.operator();
});
afterAll(() => operator.kill());

const statusOf = async (name: string) => (await bed.get(name)).status;
const conditionOf = async (name: string, type: string) =>
  (await statusOf(name))?.conditions.find((condition) => condition.type === type);

describe('a change of the spec of an open sale', { timeout: 240_000 }, () => {
  test('is followed where it may be, and named where it may not', async () => {
    const name = randomEventName();
    await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 10 } });
    await bed.reaches(name, 'Open');
    await sells(bed, name);
    expect(won(await bed.buy(name, 4))).toBe(4);

    await bed.apply(name, { fields: { 'spec.paused': true } });
    await bed.reaches(name, 'Paused');
    await eventually(async () => expect((await bed.buy(name, 1))[0]?.body.code).toBe('SECKILL_ERR_PAUSED'), PATIENT);
    await bed.apply(name, { fields: { 'spec.paused': false, 'spec.stock.totalUnits': 20 } });
    await bed.reaches(name, 'Open');
    await eventually(async () => expect((await statusOf(name))?.stock).toMatchObject({ total: 20 }), PATIENT);

    // Shrinking stops at what is taken, and the ledger takes the total that was achieved.
    await bed.apply(name, { fields: { 'spec.stock.totalUnits': 2 } });
    await bed.reaches(name, 'SoldOut');
    const event = await bed.ledger.events.get((await statusOf(name))?.eventId ?? '');
    expect(event).toMatchObject({ totalUnits: 5, targetUnits: 2 });
    expect((await bed.buy(name, 1))[0]?.body.code).toBe('SECKILL_ERR_SOLD_OUT');
    await bed.apply(name, { fields: { 'spec.stock.totalUnits': 6 } });
    await bed.reaches(name, 'Open');
    await sells(bed, name);

    await bed.apply(name, { fields: { 'spec.product.priceMinor': 1 } });
    await eventually(async () => {
      expect(await conditionOf(name, 'Stalled')).toMatchObject({ status: 'True', reason: 'FrozenFieldChanged' });
    }, PATIENT);
    expect((await bed.ledger.events.get((await statusOf(name))?.eventId ?? ''))?.product.priceMinor).toBe(399_900);
    await bed.apply(name, { fields: { 'spec.product.priceMinor': 399_900, 'spec.closed': true } });
    const { status } = await bed.reaches(name, 'Settled');
    expect(status?.accuracy).toEqual(ALL_ZERO);
    expect(await conditionOf(name, 'Stalled')).toMatchObject({ status: 'False' });
  });
});

describe('a deleted event', { timeout: 240_000 }, () => {
  test('is closed, settled and gone with all its traces, and does not sell the same sale again', async () => {
    const name = randomEventName();
    await bed.apply(name, { opensInS: -1, endsInS: 3_600, fields: { 'spec.stock.totalUnits': 10 } });
    await bed.reaches(name, 'Open');
    await sells(bed, name);
    const eventId = (await statusOf(name))?.eventId ?? '';
    await bed.store.delete(`shop/${name}`, Date.now());
    await eventually(async () => expect(await bed.store.get(`shop/${name}`)).toBeUndefined(), PATIENT);
    expect(await bed.ledger.events.get(eventId)).toMatchObject({ state: 'settled', soldUnits: 1 });
    expect(await bed.redis.exists(...stockKeys(eventId, 0))).toBe(0);
    expect((await readRegistry(bed.deps.link)).entries.has(`shop/${name}`)).toBe(false);

    await bed.apply(name, {});
    await eventually(async () => {
      expect(await conditionOf(name, 'Stalled')).toMatchObject({ status: 'True', reason: 'AlreadySettled' });
    }, PATIENT);
    await bed.apply(name, { opensInS: -2 });
    const { status } = await bed.reaches(name, 'Open');
    expect(status).toMatchObject({ edition: 2, eventId: `shop.${name}.2` });
    await bed.store.delete(`shop/${name}`, Date.now());
    await eventually(async () => expect(await bed.store.get(`shop/${name}`)).toBeUndefined(), PATIENT);
  });

  test('that was never preheated leaves at once', async () => {
    const name = randomEventName();
    await bed.apply(name, {
      opensInS: 86_400,
      endsInS: 90_000,
      fields: { 'spec.schedule.preheatSeconds': 60, 'spec.schedule.prescaleSeconds': 60 },
    });
    await bed.reaches(name, 'Scheduled');
    await bed.store.delete(`shop/${name}`, Date.now());
    await eventually(async () => expect(await bed.store.get(`shop/${name}`)).toBeUndefined(), PATIENT);
  });
});

describe('a sale whose time has passed', { timeout: 240_000 }, () => {
  test('is called missed, and costs no pod', async () => {
    const name = randomEventName();
    await bed.apply(name, { opensInS: -60, endsInS: -1 });
    const { status } = await bed.reaches(name, 'Failed');
    expect(status).toMatchObject({ reason: 'WindowMissed', pods: { wanted: 0 } });
  });
});

describe('a Redis that is not fit for a sale', { timeout: 240_000 }, () => {
  test('keeps a sale from being armed, by name, until it is repaired', async () => {
    const name = randomEventName();
    await bed.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    onTestFinished(async () => void (await bed.redis.config('SET', 'maxmemory-policy', 'noeviction')));
    await bed.apply(name, { opensInS: -1, endsInS: 3_600 });
    await eventually(async () => {
      const armed = await conditionOf(name, 'Armed');
      expect(armed).toMatchObject({ status: 'False', reason: 'ChecksFailing' });
      expect(armed?.message).toContain('RedisPolicy: maxmemory-policy must be noeviction, it is allkeys-lru');
    }, PATIENT);
    await bed.redis.config('SET', 'maxmemory-policy', 'noeviction');
    await bed.reaches(name, 'Open');
    await bed.store.delete(`shop/${name}`, Date.now());
    await eventually(async () => expect(await bed.store.get(`shop/${name}`)).toBeUndefined(), PATIENT);
  });
});
