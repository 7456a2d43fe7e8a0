import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { RESERVE_BATCH_MAX_ATTEMPTS } from '../../services/domain/limits.ts';
import { eventually } from '../support/eventually.ts';
import { attempt, HOUR_MS, NO_DEADLINE_MS, type Sale, stand } from './stand.ts';

const on = stand();

const reserveOne = async (sale: Sale, one = attempt('ann'), deadlineMs = NO_DEADLINE_MS) => {
  const decision = await on.stock.reserve(sale.ref, [one], deadlineMs);
  return decision.status === 'decided' ? decision.answers[0] : decision;
};

test('an attempt hears the first answer that applies, though all the later ones apply too', async () => {
  const sale = await on.sale({ totalUnits: 3, unitsPerBuyer: 2 });
  const [stock, buyers, reservations] = sale.keys;
  const id = randomUUID();
  let deadlineMs = 1;
  const future = Date.now() + HOUR_MS;
  await sale.set({ generation: 2, mode: 'recovering', totalUnits: 4, startMs: future, endMs: 5, closed: 1 });
  await sale.set({ availableUnits: 0, heldUnits: 3 });
  await on.redis.hset(reservations, id, 'h 2 1-1 ann');
  await on.redis.del(buyers);
  const rows: [makeWay: () => Promise<unknown>, expected: object][] = [
    [async () => undefined, { status: 'not-ready', reason: 'missing' }],
    [() => on.redis.hset(buyers, 'ann', '2'), { status: 'not-ready', reason: 'other-generation' }],
    [() => sale.set({ generation: 1 }), { status: 'not-ready', reason: 'recovering' }],
    [() => sale.set({ mode: 'unarmed' }), { status: 'not-ready', reason: 'unarmed' }],
    [() => sale.set({ mode: 'paused' }), { status: 'not-ready', reason: 'law-broken' }],
    [() => sale.set({ totalUnits: 3 }), { status: 'conflict' }],
    [() => on.redis.hset(reservations, id, 'h 1 1-1 bob'), { status: 'conflict' }],
    [() => on.redis.hset(reservations, id, 'h 1 1-1 ann'), { status: 'exists', state: 'held' }],
    [() => on.redis.hset(reservations, id, 'c 1 1-1 ann'), { status: 'exists', state: 'committed' }],
    [() => on.redis.hset(reservations, id, 'r 1 1-1 ann'), { status: 'exists', state: 'released' }],
    [() => on.redis.hdel(reservations, id), { status: 'late' }],
    [async () => (deadlineMs = NO_DEADLINE_MS), { status: 'paused' }],
    [() => sale.set({ mode: 'selling' }), { status: 'not-open' }],
    [() => sale.set({ startMs: 1 }), { status: 'closed' }],
    [() => sale.set({ closed: 0 }), { status: 'closed' }],
    [() => sale.set({ endMs: future }), { status: 'limit-exceeded' }],
    [() => on.redis.hset(buyers, 'ann', '1'), { status: 'sold-out', unitsLeft: 0 }],
    [() => sale.set({ availableUnits: 1, heldUnits: 2 }), { status: 'held', journalId: expect.any(String) }],
  ];
  for (const [makeWay, expected] of rows) {
    await makeWay();
    expect(await reserveOne(sale, attempt('ann', 1, id), deadlineMs)).toEqual(expected);
  }
  expect(await on.redis.hmget(stock, 'availableUnits', 'heldUnits')).toEqual(['0', '3']);
  expect(await on.redis.hget(buyers, 'ann')).toBe('2');
});

test('an answer other than held changes nothing', async () => {
  const sale = await on.sale({ totalUnits: 2, unitsPerBuyer: 2 });
  const mine = attempt('ann', 2);
  await reserveOne(sale, mine);
  await reserveOne(sale, attempt('bob', 1));
  const before = await sale.dump();
  const others = [mine, { ...mine, units: 1 }, attempt('ann', 1), attempt('carl', 1)];
  const decision = await on.stock.reserve(sale.ref, others, NO_DEADLINE_MS);
  expect(decision).toMatchObject({
    availableUnits: 0,
    answers: [
      { status: 'exists', state: 'held' },
      { status: 'conflict' },
      { status: 'limit-exceeded' },
      { status: 'sold-out', unitsLeft: 0 },
    ],
  });
  await on.stock.reserve(sale.ref, [attempt('dora')], 1);
  expect(await sale.dump()).toEqual(before);
});

test('the smallest ask that was refused is remembered until units come back', async () => {
  const sale = await on.sale({ totalUnits: 2, unitsPerBuyer: 9 });
  const smallest = async () => Number(await on.redis.hget(sale.keys[0], 'smallestRefusedAsk'));
  const won = attempt('ann', 1);
  const asks = [attempt('bob', 4), won, attempt('carl', 3), attempt('dora', 5)];
  await on.stock.reserve(sale.ref, asks, NO_DEADLINE_MS);
  expect(await smallest()).toBe(3);
  await reserveOne(sale, attempt('emil', 2));
  expect(await smallest()).toBe(2);
  await on.stock.release(sale.ref, [won]);
  expect(await smallest()).toBe(0);
  await reserveOne(sale, attempt('emil', 9));
  expect(await smallest()).toBe(9);
  await on.stock.adjust(sale.ref, { revision: 2, totalUnits: 3, endMs: NO_DEADLINE_MS, paused: false, closed: false });
  expect(await smallest()).toBe(0);
});

test('a hold, its journal entry and its counters are written by the one call', async () => {
  const sale = await on.sale({ totalUnits: 5 });
  const one = attempt('ann', 2);
  const decision = await on.stock.reserve(sale.ref, [one], NO_DEADLINE_MS);
  if (decision.status !== 'decided') throw new Error(decision.reason);
  const [answer] = decision.answers;
  const entries = await on.journal.range(sale.ref.eventId, 0, '0-0', 10);
  expect(entries).toEqual([{ id: expect.any(String), type: 'held', generation: 1, atMs: decision.nowMs, ...one }]);
  expect(answer).toEqual({ status: 'held', journalId: entries[0]?.id });
  expect(await on.stock.lookup(sale.ref, [one.reservationId])).toEqual({
    status: 'found',
    reservations: [{ ...one, state: 'held', journalId: entries[0]?.id }],
  });
  expect(await on.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 3, heldUnits: 2, committedUnits: 0 });
  expect(await on.redis.hgetall(sale.keys[1])).toEqual({ '#': '0', ann: '2' });
});

test('a full batch with duplicates inside is answered as if its attempts had come one by one', async () => {
  const attempts = Array.from({ length: RESERVE_BATCH_MAX_ATTEMPTS }, (_, i) =>
    attempt(`buyer-${i % 30}`, 1 + (i % 2)),
  );
  for (let i = 5; i < attempts.length; i += 7) {
    const earlier = attempts[i - 5];
    if (earlier !== undefined) attempts[i] = i % 2 === 0 ? earlier : { ...earlier, units: 3 };
  }
  const whole = await on.sale({ totalUnits: 60, unitsPerBuyer: 3 });
  const single = await on.sale({ totalUnits: 60, unitsPerBuyer: 3 });
  const batch = await on.stock.reserve(whole.ref, attempts, NO_DEADLINE_MS);
  if (batch.status !== 'decided') throw new Error(batch.reason);
  const oneByOne: unknown[] = [];
  for (const one of attempts) oneByOne.push(await reserveOne(single, one));

  const words = (answers: unknown[]) =>
    answers.map((a) => JSON.stringify(a).replace(/"journalId":"[^"]+"/, '"journalId"'));
  expect(words(batch.answers)).toEqual(words(oneByOne));
  const told = new Set(
    words(batch.answers).map((word) => (JSON.parse(word.replace('"journalId"', '"j":1')) as { status: string }).status),
  );
  expect([...told].sort()).toEqual(['conflict', 'exists', 'held', 'limit-exceeded', 'sold-out']);
  const [stockA, buyersA] = await whole.dump();
  const [stockB, buyersB] = await single.dump();
  const windowless = (stock: unknown) => ({ ...(stock as object), startMs: 0, endMs: 0 });
  expect(windowless(stockA)).toEqual(windowless(stockB));
  expect(buyersA).toEqual(buyersB);
});

test('the window is judged by the time of Redis: the start is in it, the end is not', async () => {
  const seen = { atStart: false, atEnd: false };
  await eventually(
    async () => {
      const startMs = Date.now() + 5;
      const endMs = startMs + 10;
      const sale = await on.sale({ totalUnits: 1_000_000, startMs, endMs });
      for (let nowMs = 0; nowMs <= endMs; ) {
        const decision = await on.stock.reserve(sale.ref, [attempt(randomUUID())], NO_DEADLINE_MS);
        if (decision.status !== 'decided') throw new Error(decision.reason);
        nowMs = decision.nowMs;
        const expected = nowMs < startMs ? 'not-open' : nowMs < endMs ? 'held' : 'closed';
        expect(decision.answers[0]?.status, `${nowMs - startMs} ms after the start`).toBe(expected);
        seen.atStart ||= nowMs === startMs;
        seen.atEnd ||= nowMs === endMs;
      }
      return seen.atStart && seen.atEnd;
    },
    { intervalMs: 0 },
  );
});

test('the deadline itself is not late', async () => {
  let decidedAtDeadline = false;
  await eventually(
    async () => {
      const sale = await on.sale({ totalUnits: 1_000_000 });
      const deadlineMs = Date.now() + 3;
      for (let nowMs = 0; nowMs <= deadlineMs; ) {
        const decision = await on.stock.reserve(sale.ref, [attempt(randomUUID())], deadlineMs);
        if (decision.status !== 'decided') throw new Error(decision.reason);
        nowMs = decision.nowMs;
        expect(decision.answers[0]?.status).toBe(nowMs <= deadlineMs ? 'held' : 'late');
        decidedAtDeadline ||= nowMs === deadlineMs;
      }
      return decidedAtDeadline;
    },
    { intervalMs: 0 },
  );
});

test('an attempt that no buyer could make stops the process instead of reaching Redis', async () => {
  const sale = await on.sale();
  const wrong = [
    attempt('two words'),
    attempt('#'),
    attempt('ann', 0),
    attempt('ann', -1),
    attempt('ann', 1.5),
    attempt('ann', 1e9),
    attempt('ann', 1, 'x'),
  ];
  for (const one of wrong) await expect(reserveOne(sale, one)).rejects.toThrow();
  const tooMany = Array.from({ length: RESERVE_BATCH_MAX_ATTEMPTS + 1 }, () => attempt('ann'));
  await expect(on.stock.reserve(sale.ref, tooMany, NO_DEADLINE_MS)).rejects.toThrow();
  await expect(on.stock.reserve(sale.ref, [], NO_DEADLINE_MS)).rejects.toThrow();
});
