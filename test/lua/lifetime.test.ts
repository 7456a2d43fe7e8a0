import { describe, expect, test } from 'vitest';
import type { StockRef } from '../../lua/stock.ts';
import { randomEventName } from '../support/names.ts';
import { attempt, NO_DEADLINE_MS, openWindow, type Sale, saleOf, stand } from './stand.ts';

const on = stand();

const newRef = (): StockRef => ({ eventId: `test.${randomEventName()}.1`, bucket: 0, generation: 1, run: on.run });
const later = (ref: StockRef, generation = ref.generation + 1): StockRef => ({ ...ref, generation });
const settings = { ...openWindow(), totalUnits: 5 };

describe('preheat', () => {
  test('creates all four keys at once, unarmed, with the journal read from its beginning', async () => {
    const ref = newRef();
    expect(await on.stock.preheat(ref, settings)).toEqual({ status: 'preheated' });
    expect(await on.stock.snapshot(ref)).toMatchObject({
      ...settings,
      mode: 'unarmed',
      availableUnits: 5,
      lawHolds: true,
    });
    const { keys } = saleOf(on.redis, ref);
    expect(await on.redis.exists(...keys)).toBe(4);
    expect(await on.journal.progress(ref.eventId, 0)).toEqual({
      exists: true,
      length: 0,
      lastEntryId: '0-0',
      lastDeliveredId: '0-0',
      passedId: '0-0',
      unreadEntries: 0,
      pending: 0,
      drained: true,
    });
  });

  test('a second one changes nothing', async () => {
    const sale = await on.sale();
    await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS);
    const before = await sale.dump();
    expect(await on.stock.preheat(sale.ref, { ...settings, totalUnits: 99 })).toEqual({ status: 'exists' });
    expect(await sale.dump()).toEqual(before);
  });

  test('replaces an older generation that was never armed, with other settings', async () => {
    const ref = newRef();
    await on.stock.preheat(ref, settings);
    expect(await on.stock.preheat(later(ref), { ...settings, totalUnits: 7 })).toEqual({ status: 'preheated' });
    expect(await on.stock.snapshot(ref)).toMatchObject({ generation: 2, totalUnits: 7, availableUnits: 7 });
  });

  const refused: [what: string, spoil: (sale: Sale) => Promise<unknown>][] = [
    ['a later generation', (sale) => sale.set({ generation: 3 })],
    ['a sale that is armed', (sale) => sale.set({ mode: 'selling' })],
    ['a sale that is paused', (sale) => sale.set({ mode: 'paused' })],
    ['a rebuild under way', (sale) => sale.set({ mode: 'recovering' })],
    ['units held', (sale) => sale.set({ heldUnits: 1 })],
    ['units bought', (sale) => sale.set({ committedUnits: 1 })],
    ['a reservation', (sale) => on.redis.hset(sale.keys[2], attempt('ann').reservationId, 'r 1 1-1 ann')],
    ['a buyer', (sale) => on.redis.hset(sale.keys[1], 'ann', 1)],
    ['stock without its stock key', (sale) => on.redis.del(sale.keys[0])],
    ['stock without a generation', (sale) => on.redis.hdel(sale.keys[0], 'generation')],
  ];
  test.each(refused)('refuses to overwrite %s', async (_, spoil) => {
    const ref = newRef();
    await on.stock.preheat(ref, settings);
    const sale = saleOf(on.redis, ref);
    await spoil(sale);
    const before = await sale.dump();
    expect(await on.stock.preheat(later(ref), settings)).toEqual({ status: 'refused' });
    expect(await sale.dump()).toEqual(before);
  });

  test('never refills stock of its own generation that lost a key', async () => {
    for (const lost of [0, 1, 2, 3] as const) {
      const ref = newRef();
      await on.stock.preheat(ref, settings);
      const sale = saleOf(on.redis, ref);
      await on.redis.del(sale.keys[lost]);
      expect(await on.stock.preheat(ref, settings)).toEqual({ status: 'refused' });
    }
  });
});

describe('arm', () => {
  test('opens a sale once', async () => {
    const ref = newRef();
    await on.stock.preheat(ref, settings);
    expect(await on.stock.arm(ref, { paused: false })).toEqual({ status: 'armed' });
    expect(await on.stock.snapshot(ref)).toMatchObject({ mode: 'selling' });
    expect(await on.stock.arm(ref, { paused: true })).toEqual({ status: 'already' });
    expect(await on.stock.snapshot(ref)).toMatchObject({ mode: 'selling' });
  });

  test('arms a paused sale as paused', async () => {
    const ref = newRef();
    await on.stock.preheat(ref, settings);
    expect(await on.stock.arm(ref, { paused: true })).toEqual({ status: 'armed' });
    expect(await on.stock.snapshot(ref)).toMatchObject({ mode: 'paused' });
  });
});

describe('rebuild', () => {
  const finish = (ref: StockRef, change: object = {}) =>
    on.stock.rebuildFinish(ref, { ...settings, revision: 4, armed: true, paused: false, closed: false, ...change });

  test('takes the sale out of service at once, and refuses a generation that is not later', async () => {
    const sale = await on.sale();
    const two = later(sale.ref);
    expect(await on.stock.rebuildBegin(sale.ref)).toEqual({ status: 'refused' });
    expect(await on.stock.rebuildBegin(two)).toEqual({ status: 'begun' });
    expect(await on.stock.rebuildBegin(two)).toEqual({ status: 'refused' });
    expect(await on.stock.reserve(two, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({ reason: 'recovering' });
    expect(await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({
      reason: 'other-generation',
    });
    expect(await on.stock.rebuildBegin(later(sale.ref, 10))).toEqual({ status: 'begun' });
    expect(await on.stock.rebuildBegin(later(sale.ref, 9))).toEqual({ status: 'refused' });
  });

  test('brings the rows of the ledger back, and counts what is available from them', async () => {
    const sale = await on.sale({ totalUnits: 5, unitsPerBuyer: 2 });
    const [bought, ended, forgotten] = [attempt('ann', 2), attempt('bob', 1), attempt('carl', 1)];
    await on.stock.reserve(sale.ref, [forgotten, attempt('dora')], NO_DEADLINE_MS);
    const two = later(sale.ref);
    await on.stock.rebuildBegin(two);
    const rows = [
      { ...bought, live: true, journalId: '7-1' },
      { ...ended, live: false, journalId: '7-2' },
    ];
    expect(await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows })).toEqual({
      status: 'loaded',
      overLimit: [],
    });
    expect(await on.stock.snapshot(two)).toMatchObject({ mode: 'recovering', lawHolds: true, committedUnits: 2 });
    expect(await finish(two)).toEqual({ status: 'finished' });
    expect(await on.stock.snapshot(two)).toMatchObject({
      generation: 2,
      revision: 4,
      mode: 'selling',
      totalUnits: 5,
      availableUnits: 3,
      heldUnits: 0,
      committedUnits: 2,
    });
    const ids = [bought, ended, forgotten].map((one) => one.reservationId);
    expect(await on.stock.lookup(two, ids)).toMatchObject({
      reservations: [{ ...bought, state: 'committed', journalId: '7-1' }, { ...ended, state: 'released' }, undefined],
    });
    expect(await on.redis.hgetall(sale.keys[1])).toEqual({ '#': '0', ann: '2' });
    const entries = await on.journal.range(sale.ref.eventId, 0, '0-0', 10);
    expect(entries.map((entry) => entry.type)).toEqual(['held', 'held', 'rebuilt']);
    expect(entries[2]).toMatchObject({ revision: 4, totalUnits: 5, availableUnits: 3, committedUnits: 2 });
  });

  test('names live rows over their buyer’s limit, and stores them as released', async () => {
    const sale = await on.sale();
    const two = later(sale.ref);
    await on.stock.rebuildBegin(two);
    const rows = [attempt('ann', 1), attempt('ann', 2), attempt('ann', 1), attempt('bob', 3)].map((one, i) => ({
      ...one,
      live: true,
      journalId: `1-${i}`,
    }));
    const over = [rows[1]?.reservationId, rows[3]?.reservationId];
    expect(await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows: rows.slice(0, 2) })).toEqual({
      status: 'loaded',
      overLimit: over.slice(0, 1),
    });
    expect(await on.stock.rebuildLoad(two, { first: false, unitsPerBuyer: 2, rows: rows.slice(2) })).toEqual({
      status: 'loaded',
      overLimit: over.slice(1),
    });
    await finish(two);
    expect(await on.stock.snapshot(two)).toMatchObject({ committedUnits: 2, availableUnits: 3, lawHolds: true });
    expect(await on.redis.hgetall(sale.keys[1])).toEqual({ '#': '0', ann: '2' });
  });

  test('a chunk that is loaded twice counts once, by its latest state', async () => {
    const sale = await on.sale();
    const two = later(sale.ref);
    await on.stock.rebuildBegin(two);
    const [stays, ends] = [attempt('ann', 2), attempt('bob', 1)].map((one) => ({
      ...one,
      live: true,
      journalId: '1-1',
    }));
    if (stays === undefined || ends === undefined) throw new Error('two rows');
    await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows: [stays, ends] });
    const rows = [stays, { ...ends, live: false }, stays];
    expect(await on.stock.rebuildLoad(two, { first: false, unitsPerBuyer: 2, rows })).toMatchObject({ overLimit: [] });
    await finish(two);
    expect(await on.stock.snapshot(two)).toMatchObject({ committedUnits: 2, availableUnits: 3, lawHolds: true });
    expect(await on.redis.hgetall(sale.keys[1])).toEqual({ '#': '0', ann: '2' });
  });

  const states: [flags: object, expected: object][] = [
    [
      { armed: false, paused: false, closed: false },
      { mode: 'unarmed', closed: false },
    ],
    [
      { armed: false, paused: true, closed: false },
      { mode: 'unarmed', closed: false },
    ],
    [
      { armed: true, paused: true, closed: false },
      { mode: 'paused', closed: false },
    ],
    [
      { armed: true, paused: false, closed: true },
      { mode: 'selling', closed: true },
    ],
  ];
  test.each(states)('goes on as the ledger knows the sale: %o', async (flags, expected) => {
    const sale = await on.sale();
    const two = later(sale.ref);
    await on.stock.rebuildBegin(two);
    await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows: [] });
    expect(await finish(two, flags)).toEqual({ status: 'finished' });
    expect(await on.stock.snapshot(two)).toMatchObject({ ...expected, smallestRefusedAsk: 0 });
  });

  test('does not finish with more than the total, nor after the counters were touched', async () => {
    const sale = await on.sale();
    const two = later(sale.ref);
    await on.stock.rebuildBegin(two);
    const rows = [{ ...attempt('ann', 2), live: true, journalId: '1-1' }];
    await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows });
    const before = await sale.dump();
    expect(await finish(two, { totalUnits: 1 })).toEqual({ status: 'law-broken' });
    expect(await sale.dump()).toEqual(before);
    await sale.set({ committedUnits: 1 });
    expect(await finish(two)).toEqual({ status: 'law-broken' });
    expect(await on.stock.rebuildLoad(two, { first: false, unitsPerBuyer: 2, rows })).toMatchObject({
      reason: 'law-broken',
    });
    await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows });
    expect(await finish(two, { totalUnits: 2 })).toEqual({ status: 'finished' });
  });

  test('begins with nothing at all, and keeps what survived of the journal', async () => {
    for (const lost of [[0], [1, 2], [3], [0, 1, 2, 3]]) {
      const sale = await on.sale();
      await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS);
      for (const key of lost) await on.redis.del(sale.keys[key] ?? '');
      const two = later(sale.ref);
      expect(await on.stock.rebuildBegin(two)).toEqual({ status: 'begun' });
      expect(await on.redis.exists(...sale.keys)).toBe(4);
      expect(await on.journal.progress(sale.ref.eventId, 0)).toMatchObject({
        exists: true,
        length: lost.includes(3) ? 0 : 1,
        drained: lost.includes(3),
      });
      await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows: [] });
      expect(await finish(two)).toEqual({ status: 'finished' });
      expect(await on.stock.snapshot(two)).toMatchObject({ lawHolds: true, availableUnits: 5 });
    }
  });

  test('heals keys of a wrong type, and a journal that lost its group', async () => {
    for (const wrong of [0, 1, 2, 3] as const) {
      const sale = await on.sale();
      await on.redis.del(sale.keys[wrong]);
      await on.redis.set(sale.keys[wrong], 'something else');
      expect(await on.stock.snapshot(sale.ref)).toEqual({ status: 'missing' });
      const two = later(sale.ref);
      expect(await on.stock.rebuildBegin(two)).toEqual({ status: 'begun' });
      await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows: [] });
      expect(await finish(two)).toEqual({ status: 'finished' });
    }
    const sale = await on.sale();
    await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS);
    await on.redis.xgroup('DESTROY', sale.keys[3], 'relay');
    await on.stock.rebuildBegin(later(sale.ref));
    expect((await on.journal.read(sale.ref.eventId, 0, 'me', 10)).entries).toHaveLength(1);
  });
});

test('remove deletes the keys of its generation or an older one, and nothing else', async () => {
  const sale = await on.sale();
  await sale.set({ generation: 2 });
  expect(await on.stock.remove(sale.ref)).toEqual({ status: 'refused' });
  expect(await on.redis.exists(...sale.keys)).toBe(4);
  expect(await on.stock.remove(later(sale.ref))).toEqual({ status: 'removed' });
  expect(await on.redis.exists(...sale.keys)).toBe(0);
  expect(await on.stock.remove(later(sale.ref))).toEqual({ status: 'absent' });
});
