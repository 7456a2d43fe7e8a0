import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { StockRef } from '../../lua/stock.ts';
import { attempt, HOUR_MS, NO_DEADLINE_MS, type Sale, stand } from './stand.ts';

const on = stand();

const target = { totalUnits: 20, endMs: NO_DEADLINE_MS, paused: true, closed: true };
const settings = { revision: 7, totalUnits: 20, startMs: 1, endMs: 2, unitsPerBuyer: 1 };

type Call = (ref: StockRef) => Promise<unknown>;
const one = attempt('ann');
const CHANGES: Record<string, Call> = {
  arm: (ref) => on.stock.arm(ref, { paused: false }),
  reserve: (ref) => on.stock.reserve(ref, [one], NO_DEADLINE_MS),
  commit: (ref) => on.stock.commit(ref, [one]),
  release: (ref) => on.stock.release(ref, [one]),
  adjust: (ref) => on.stock.adjust(ref, { ...target, revision: 2 }),
};
const REBUILD: Record<string, Call> = {
  rebuildLoad: (ref) => on.stock.rebuildLoad(ref, { first: false, unitsPerBuyer: 1, rows: [] }),
  rebuildFinish: (ref) => on.stock.rebuildFinish(ref, { ...settings, armed: true, paused: false, closed: false }),
};
const ALL: Record<string, Call> = {
  ...CHANGES,
  ...REBUILD,
  preheat: (ref) => on.stock.preheat({ ...ref, generation: 2 }, settings),
  lookup: (ref) => on.stock.lookup(ref, [one.reservationId]),
};

describe.each(Object.entries(CHANGES))('%s', (_, call) => {
  test('is not ready while a key is missing, then of another generation, then recovering, then lawless', async () => {
    const sale = await on.sale({ totalUnits: 10 });
    const [, , reservations] = sale.keys;
    await sale.set({ generation: 2, mode: 'recovering', totalUnits: 11, revision: 9 });
    await on.redis.del(reservations);
    const rows: [makeWay: () => Promise<unknown>, reason: string][] = [
      [async () => undefined, 'missing'],
      [() => on.redis.hset(reservations, '#', '0'), 'other-generation'],
      [() => sale.set({ generation: 1 }), 'recovering'],
      [() => sale.set({ mode: 'selling' }), 'law-broken'],
      [() => sale.set({ totalUnits: 10, availableUnits: -1, heldUnits: 11 }), 'law-broken'],
      [() => sale.set({ availableUnits: 11, heldUnits: -1 }), 'law-broken'],
      [() => sale.set({ heldUnits: 0, committedUnits: -1 }), 'law-broken'],
      [() => sale.set({ availableUnits: 'many', committedUnits: 0 }), 'law-broken'],
      [() => sale.set({ availableUnits: 9.5, heldUnits: 0.5 }), 'law-broken'],
    ];
    for (const [makeWay, reason] of rows) {
      await makeWay();
      const before = await sale.dump();
      expect(await call(sale.ref)).toEqual({ status: 'not-ready', reason });
      expect(await sale.dump()).toEqual(before);
    }
    await sale.set({ availableUnits: 10, heldUnits: 0 });
    expect(await call(sale.ref)).not.toMatchObject({ status: 'not-ready' });
  });

  test('is not ready when any of the four keys or a field is missing, and brings none back', async () => {
    for (const missing of [0, 1, 2, 3] as const) {
      const sale = await on.sale();
      await on.redis.del(sale.keys[missing]);
      const before = await sale.dump();
      expect(await call(sale.ref)).toEqual({ status: 'not-ready', reason: 'missing' });
      expect(await sale.dump()).toEqual(before);
    }
    const sale = await on.sale();
    await on.redis.hdel(sale.keys[0], 'committedUnits');
    expect(await call(sale.ref)).toEqual({ status: 'not-ready', reason: 'missing' });
  });
});

const NUMBERS = ['revision', 'closed', 'startMs', 'endMs', 'unitsPerBuyer', 'smallestRefusedAsk'] as const;

/** Fields that each script goes by, beside the counters. */
const READ: Record<string, readonly string[]> = {
  reserve: ['mode', 'startMs', 'endMs', 'closed', 'unitsPerBuyer', 'smallestRefusedAsk'],
  commit: ['unitsPerBuyer'],
  release: ['smallestRefusedAsk'],
  adjust: ['revision', 'closed', 'smallestRefusedAsk'],
};

describe.each(Object.entries(READ))('%s', (name, fields) => {
  test.each(fields)('is not ready, and changes nothing, while nobody can read %s', async (field) => {
    const sale = await on.sale();
    await sale.set({ [field]: 'abc' });
    const before = await sale.dump();
    expect(await CHANGES[name]?.(sale.ref)).toEqual({ status: 'not-ready', reason: 'law-broken' });
    expect(await sale.dump()).toEqual(before);
  });
});

describe('snapshot', () => {
  const COUNTERS = ['totalUnits', 'availableUnits', 'heldUnits', 'committedUnits'];
  test.each(['generation', ...NUMBERS, ...COUNTERS, 'mode'])('says missing when nobody can read %s', async (field) => {
    for (const value of ['abc', '1.5', '', '9'.repeat(20)]) {
      const sale = await on.sale();
      await sale.set({ [field]: value });
      expect(await on.stock.snapshot(sale.ref), value).toEqual({ status: 'missing' });
    }
  });

  test.each([...NUMBERS, ...COUNTERS])('says that the law does not hold when %s is negative', async (field) => {
    const sale = await on.sale();
    await sale.set({ [field]: -1 });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ status: 'ok', lawHolds: false });
  });
});

test('a tally reads as -1 what is no whole number', async () => {
  for (const value of ['abc', '1.5', '', 'inf', '9'.repeat(20)]) {
    const sale = await on.sale();
    await sale.set({ availableUnits: value });
    expect(await on.stock.tally(sale.ref), value).toMatchObject({ status: 'counted', availableUnits: -1 });
  }
});

describe('of a buyer whose units nobody can read', () => {
  const damaged = async (): Promise<Sale> => {
    const sale = await on.sale();
    await on.redis.hset(sale.keys[1], 'ann', 'abc');
    return sale;
  };

  test('no more are sold to him, and others are not disturbed', async () => {
    const sale = await damaged();
    expect(await on.stock.reserve(sale.ref, [one, attempt('bob')], NO_DEADLINE_MS)).toMatchObject({
      answers: [{ status: 'limit-exceeded' }, { status: 'held' }],
    });
    expect(await on.stock.commit(sale.ref, [one, attempt('carl')])).toMatchObject({
      answers: ['refused', 'committed'],
    });
  });

  test('some come back, and still he gets no more', async () => {
    const sale = await on.sale();
    await on.stock.reserve(sale.ref, [one], NO_DEADLINE_MS);
    await on.redis.hset(sale.keys[1], 'ann', 'abc');
    expect(await on.stock.release(sale.ref, [one])).toMatchObject({ answers: ['released'] });
    expect(await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({
      answers: [{ status: 'limit-exceeded' }],
    });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 10, heldUnits: 0, lawHolds: true });
  });
});

describe.each(['commit', 'release', 'adjust'])('%s', (name) => {
  const rows: [state: string, change: (sale: Sale) => Promise<unknown>][] = [
    ['unarmed', (sale) => sale.set({ mode: 'unarmed' })],
    ['paused', (sale) => sale.set({ mode: 'paused' })],
    ['closed', (sale) => sale.set({ closed: 1 })],
    ['over', (sale) => sale.set({ endMs: Date.now() - HOUR_MS })],
    ['not open yet', (sale) => sale.set({ startMs: Date.now() + HOUR_MS })],
  ];
  test.each(rows)('works while the sale is %s: the pipeline drains in every state', async (_, change) => {
    const sale = await on.sale();
    await change(sale);
    expect(await CHANGES[name]?.(sale.ref)).not.toMatchObject({ status: 'not-ready' });
  });
});

describe.each(Object.entries(REBUILD))('%s', (_, call) => {
  test('is not ready in this order: missing, another generation, not recovering, not begun', async () => {
    const sale = await on.sale();
    const [, , , journal] = sale.keys;
    await sale.set({ generation: 2, mode: 'selling' });
    await on.redis.rename(journal, `${journal}-away`);
    const rows: [makeWay: () => Promise<unknown>, reason: string][] = [
      [async () => undefined, 'missing'],
      [() => on.redis.rename(`${journal}-away`, journal), 'other-generation'],
      [() => sale.set({ generation: 1 }), 'not-recovering'],
      [() => sale.set({ mode: 'recovering' }), 'not-begun'],
    ];
    for (const [makeWay, reason] of rows) {
      await makeWay();
      const before = await sale.dump();
      expect(await call(sale.ref)).toEqual({ status: 'not-ready', reason });
      expect(await sale.dump()).toEqual(before);
    }
    await sale.set({ loadedGeneration: 1 });
    expect(await call(sale.ref)).toMatchObject({ status: expect.stringMatching(/^(not-ready|law-broken)$/) });
    await sale.set({ totalUnits: 0, availableUnits: 0 });
    expect(await call(sale.ref)).toMatchObject({ status: expect.stringMatching(/^(loaded|finished)$/) });
  });
});

test('lookup is not ready in this order: missing, another generation, recovering', async () => {
  const sale = await on.sale();
  await sale.set({ generation: 2, mode: 'recovering' });
  await on.redis.hdel(sale.keys[1], '#');
  const rows: [makeWay: () => Promise<unknown>, expected: object][] = [
    [async () => undefined, { status: 'not-ready', reason: 'missing' }],
    [() => on.redis.hset(sale.keys[1], '#', '0'), { status: 'not-ready', reason: 'other-generation' }],
    [() => sale.set({ generation: 1 }), { status: 'not-ready', reason: 'recovering' }],
    [() => sale.set({ mode: 'selling' }), { status: 'found', reservations: [undefined] }],
  ];
  for (const [makeWay, expected] of rows) {
    await makeWay();
    expect(await on.stock.lookup(sale.ref, [randomUUID()])).toEqual(expected);
  }
});

describe.each(Object.entries(ALL))('%s', (name, call) => {
  test('leaves everything as it is when a key has a wrong type', async () => {
    for (const wrong of [0, 1, 2, 3] as const) {
      const sale = await on.sale();
      if (name in REBUILD) {
        await sale.set({ mode: 'recovering', loadedGeneration: 1, totalUnits: 0, availableUnits: 0 });
      }
      await on.redis.del(sale.keys[wrong]);
      await on.redis.set(sale.keys[wrong], 'something else');
      const before = await sale.dump();
      const answer = await call(sale.ref);
      const after = await sale.dump();
      expect(after[wrong], `key ${wrong}`).toEqual(before[wrong]);
      // arm, for one, needs nothing of the buyers: it may go on, or refuse; half a change is not allowed.
      const refused = (answer as { reason?: string }).reason === 'wrong-type';
      if (refused) expect(after, `key ${wrong}`).toEqual(before);
      else expect(UNTOUCHED[name], `key ${wrong}`).toContain(wrong);
    }
  });
});

/** Keys that a script never reads: 0 stock, 1 buyers, 2 reservations, 3 journal. */
const UNTOUCHED: Record<string, number[]> = {
  arm: [1, 2, 3],
  adjust: [1, 2],
  lookup: [1, 3],
  rebuildFinish: [1, 2],
  rebuildLoad: [3],
};
