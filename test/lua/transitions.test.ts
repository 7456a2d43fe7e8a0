import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../services/domain/reservation.ts';
import { attempt, NO_DEADLINE_MS, type Sale, stand } from './stand.ts';

const on = stand();

const hold = async (sale: Sale, attempts: Attempt[]) => {
  const decision = await on.stock.reserve(sale.ref, attempts, NO_DEADLINE_MS);
  if (decision.status !== 'decided') throw new Error(decision.reason);
  expect(decision.answers.map((answer) => answer.status)).toEqual(attempts.map(() => 'held'));
};
const commit = async (sale: Sale, items: Attempt[]) => {
  const done = await on.stock.commit(sale.ref, items);
  return done.status === 'done' ? done.answers : done;
};
const release = async (sale: Sale, items: Attempt[]) => {
  const done = await on.stock.release(sale.ref, items);
  return done.status === 'done' ? done.answers : done;
};
const counters = async (sale: Sale) =>
  (await on.redis.hmget(sale.keys[0], 'totalUnits', 'availableUnits', 'heldUnits', 'committedUnits')).map(Number);
const taken = async (sale: Sale, buyer: string) => Number(await on.redis.hget(sale.keys[1], buyer));
const stateOf = async (sale: Sale, { reservationId }: Attempt) => {
  const found = await on.stock.lookup(sale.ref, [reservationId]);
  return found.status === 'found' ? found.reservations[0]?.state : found.reason;
};
const journalOf = (sale: Sale) => on.journal.range(sale.ref.eventId, 0, '0-0', 100);

describe('commit', () => {
  test('moves held units to committed once, and tells the same ever after', async () => {
    const sale = await on.sale({ totalUnits: 10 });
    const one = attempt('ann', 2);
    await hold(sale, [one]);
    expect(await commit(sale, [one])).toEqual(['committed']);
    expect(await counters(sale)).toEqual([10, 8, 0, 2]);
    const before = await sale.dump();
    expect(await commit(sale, [one, one])).toEqual(['committed', 'committed']);
    expect(await sale.dump()).toEqual(before);
  });

  test('says conflict for another buyer or other units, before anything else', async () => {
    const sale = await on.sale();
    const one = attempt('ann', 1);
    await hold(sale, [one]);
    const before = await sale.dump();
    expect(
      await commit(sale, [
        { ...one, buyer: 'bob' },
        { ...one, units: 2 },
      ]),
    ).toEqual(['conflict', 'conflict']);
    await release(sale, [one]);
    expect(await commit(sale, [{ ...one, units: 2 }, one])).toEqual(['conflict', 'released']);
    expect(before[0]).toMatchObject({ heldUnits: '1' });
    expect(await counters(sale)).toEqual([10, 10, 0, 0]);
  });

  test('takes the units of one that is not known, there and then', async () => {
    const sale = await on.sale({ totalUnits: 3, unitsPerBuyer: 2 });
    const late = attempt('ann', 2);
    expect(await commit(sale, [late, late])).toEqual(['committed', 'committed']);
    expect(await counters(sale)).toEqual([3, 1, 0, 2]);
    expect(await taken(sale, 'ann')).toBe(2);
    expect(await journalOf(sale)).toMatchObject([
      { type: 'committed', reservationIds: [late.reservationId], late: { buyer: 'ann', units: 2 } },
    ]);
    const [entry] = await on.journal.range(sale.ref.eventId, 0, '0-0', 1);
    expect(await on.stock.lookup(sale.ref, [late.reservationId])).toMatchObject({
      reservations: [{ ...late, state: 'committed', journalId: entry?.id }],
    });
  });

  test('refuses one that is not known beyond the stock or the limit, and remembers nothing of it', async () => {
    const sale = await on.sale({ totalUnits: 3, unitsPerBuyer: 2 });
    await hold(sale, [attempt('ann', 2)]);
    const before = await sale.dump();
    expect(await commit(sale, [attempt('ann', 1), attempt('bob', 2)])).toEqual(['refused', 'refused']);
    expect(await sale.dump()).toEqual(before);
    expect(await commit(sale, [attempt('bob', 1), attempt('carl', 1)])).toEqual(['committed', 'refused']);
  });

  test('writes one entry for all that it moved, and one for each late one', async () => {
    const sale = await on.sale({ totalUnits: 10, unitsPerBuyer: 2 });
    const held = [attempt('ann'), attempt('bob', 2)];
    const late = attempt('carl');
    await hold(sale, held);
    await commit(sale, [...held, late]);
    const [, , ...entries] = await journalOf(sale);
    expect(entries).toMatchObject([
      { type: 'committed', reservationIds: held.map((one) => one.reservationId) },
      { type: 'committed', reservationIds: [late.reservationId], late: { buyer: 'carl', units: 1 } },
    ]);
  });
});

describe('release', () => {
  test('gives the units back from held and from committed, once', async () => {
    const sale = await on.sale({ totalUnits: 5, unitsPerBuyer: 3 });
    const [held, bought] = [attempt('ann', 2), attempt('ann', 1)];
    await hold(sale, [held, bought]);
    await commit(sale, [bought]);
    expect(await release(sale, [held])).toEqual(['released']);
    expect(await counters(sale)).toEqual([5, 4, 0, 1]);
    expect(await taken(sale, 'ann')).toBe(1);
    expect(await release(sale, [held, bought, bought])).toEqual(['released', 'released', 'released']);
    expect(await counters(sale)).toEqual([5, 5, 0, 0]);
    expect(await on.redis.hgetall(sale.keys[1])).toEqual({ '#': '0' });
    const before = await sale.dump();
    expect(await release(sale, [bought])).toEqual(['released']);
    expect(await sale.dump()).toEqual(before);
    expect((await journalOf(sale)).filter((entry) => entry.type === 'released')).toMatchObject([
      { type: 'released', ...held, from: 'held' },
      { type: 'released', ...bought, from: 'committed' },
    ]);
  });

  test('says conflict for another buyer or other units', async () => {
    const sale = await on.sale();
    const one = attempt('ann');
    await hold(sale, [one]);
    const before = await sale.dump();
    expect(
      await release(sale, [
        { ...one, buyer: 'bob' },
        { ...one, units: 2 },
      ]),
    ).toEqual(['conflict', 'conflict']);
    expect(await sale.dump()).toEqual(before);
  });

  test('leaves a tombstone for one that is not known, so that it can never be taken', async () => {
    const sale = await on.sale({ totalUnits: 5 });
    const never = attempt('ann', 2);
    expect(await release(sale, [never, { ...never, units: 1 }, never])).toEqual(['released', 'conflict', 'released']);
    expect(await counters(sale)).toEqual([5, 5, 0, 0]);
    expect(await taken(sale, 'ann')).toBe(0);
    expect(await commit(sale, [never])).toEqual(['released']);
    expect(await on.stock.reserve(sale.ref, [never], NO_DEADLINE_MS)).toMatchObject({
      answers: [{ status: 'exists', state: 'released' }],
    });
    expect(await journalOf(sale)).toMatchObject([{ type: 'released', ...never, from: 'unknown' }]);
  });

  test('units that came back sell again, to the same buyer too', async () => {
    const sale = await on.sale({ totalUnits: 1, unitsPerBuyer: 1 });
    const one = attempt('ann');
    await hold(sale, [one]);
    await release(sale, [one]);
    await hold(sale, [attempt('ann')]);
    expect(await counters(sale)).toEqual([1, 0, 1, 0]);
  });
});

test('a reservation that the counters do not know of is neither bought nor ended', async () => {
  for (const [letter, call] of [
    ['h', commit],
    ['h', release],
    ['c', release],
  ] as const) {
    const sale = await on.sale();
    const one = attempt('ann', 2);
    await on.redis.hset(sale.keys[2], one.reservationId, `${letter} 2 1-1 ann`);
    const before = await sale.dump();
    expect(await call(sale, [one])).toEqual({ status: 'not-ready', reason: 'law-broken' });
    expect(await sale.dump()).toEqual(before);
  }
});

describe('adjust', () => {
  const adjust = (sale: Sale, revision: number, change: object = {}) =>
    on.stock.adjust(sale.ref, {
      revision,
      totalUnits: 10,
      endMs: NO_DEADLINE_MS,
      paused: false,
      closed: false,
      ...change,
    });

  test('refuses an older revision, and does nothing for the present one', async () => {
    const sale = await on.sale({ totalUnits: 10, revision: 5 });
    const before = await sale.dump();
    expect(await adjust(sale, 4, { totalUnits: 99 })).toEqual({ status: 'stale' });
    expect(await adjust(sale, 5, { totalUnits: 99 })).toEqual({ status: 'unchanged', totalUnits: 10 });
    expect(await sale.dump()).toEqual(before);
    expect(await adjust(sale, 6, { totalUnits: 99 })).toEqual({ status: 'adjusted', totalUnits: 99 });
    expect(await adjust(sale, 6, { totalUnits: 99 })).toEqual({ status: 'unchanged', totalUnits: 99 });
    expect(await counters(sale)).toEqual([99, 99, 0, 0]);
  });

  test('compares revisions as numbers', async () => {
    const sale = await on.sale({ revision: 9 });
    expect(await adjust(sale, 10)).toMatchObject({ status: 'adjusted' });
    expect(await adjust(sale, 9)).toEqual({ status: 'stale' });
  });

  test('shrinks to what is taken, never below, and tells the total that it achieved', async () => {
    const sale = await on.sale({ totalUnits: 10, unitsPerBuyer: 9 });
    const [held, bought] = [attempt('ann', 2), attempt('bob', 3)];
    await hold(sale, [held, bought]);
    await commit(sale, [bought]);
    expect(await adjust(sale, 2, { totalUnits: 6 })).toEqual({ status: 'adjusted', totalUnits: 6 });
    expect(await counters(sale)).toEqual([6, 1, 2, 3]);
    expect(await adjust(sale, 3, { totalUnits: 0 })).toEqual({ status: 'adjusted', totalUnits: 5 });
    expect(await counters(sale)).toEqual([5, 0, 2, 3]);
    expect(await adjust(sale, 4, { totalUnits: 7 })).toEqual({ status: 'adjusted', totalUnits: 7 });
    expect(await counters(sale)).toEqual([7, 2, 2, 3]);
  });

  test('pauses, resumes, moves the end and closes for good', async () => {
    const sale = await on.sale();
    const endMs = Date.now() + 5_000;
    await adjust(sale, 2, { paused: true, endMs });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ mode: 'paused', endMs, closed: false, revision: 2 });
    await adjust(sale, 3, { paused: false, closed: true });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ mode: 'selling', closed: true });
    await adjust(sale, 4, { paused: false, closed: false });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ mode: 'selling', closed: true });
    const entries = await journalOf(sale);
    expect(entries).toHaveLength(3);
    expect(entries[1]).toMatchObject({
      type: 'adjusted',
      revision: 3,
      totalUnits: 10,
      availableUnits: 10,
      endMs: NO_DEADLINE_MS,
      paused: false,
      closed: true,
    });
  });

  test('does not arm a sale', async () => {
    const sale = await on.sale();
    await sale.set({ mode: 'unarmed' });
    await adjust(sale, 2, { paused: false });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ mode: 'unarmed' });
    await adjust(sale, 3, { paused: true });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ mode: 'unarmed' });
  });
});

test('lookup tells each reservation, and nothing of the others', async () => {
  const sale = await on.sale();
  const [held, ended] = [attempt('ann'), attempt('bob')];
  await hold(sale, [held]);
  await release(sale, [ended]);
  const found = await on.stock.lookup(sale.ref, [ended.reservationId, randomUUID(), held.reservationId]);
  expect(found).toMatchObject({
    reservations: [{ ...ended, state: 'released' }, undefined, { ...held, state: 'held' }],
  });
  expect(await on.stock.lookup(sale.ref, [])).toEqual({ status: 'found', reservations: [] });
  expect(await stateOf(sale, held)).toBe('held');
  const scanned: string[] = [];
  for await (const reservation of on.stock.scanReservations(sale.ref)) scanned.push(reservation.reservationId);
  expect(scanned.sort()).toEqual([held.reservationId, ended.reservationId].sort());
});

test.each(['abc', '', 'x 1 1-1 ann', 'h one 1-1 ann', 'h 1 1-1', `h ${'9'.repeat(20)} 1-1 ann`])(
  'a reservation that nobody can read (%j) is told as such, never changed, and disturbs no other',
  async (value) => {
    const sale = await on.sale();
    const [broken, other] = [attempt('ann'), attempt('bob')];
    await hold(sale, [broken, other]);
    await on.redis.hset(sale.keys[2], broken.reservationId, value);
    await on.redis.hset(sale.keys[2], 'no id', value);
    const malformed = { reservationId: broken.reservationId, state: 'malformed' };
    expect(await on.stock.lookup(sale.ref, [broken.reservationId, other.reservationId, 'no id'])).toMatchObject({
      reservations: [malformed, { ...other, state: 'held' }, { reservationId: 'no id', state: 'malformed' }],
    });
    const scanned: unknown[] = [];
    for await (const reservation of on.stock.scanReservations(sale.ref)) scanned.push(reservation);
    expect(scanned).toHaveLength(3);
    expect(scanned).toContainEqual(malformed);
    expect(await commit(sale, [broken, other])).toEqual(['conflict', 'committed']);
    expect(await release(sale, [broken, other])).toEqual(['conflict', 'released']);
    expect(await counters(sale)).toEqual([10, 9, 1, 0]);
    expect(await on.redis.hget(sale.keys[2], broken.reservationId)).toBe(value);
  },
);
