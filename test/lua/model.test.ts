import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeEntry } from '../../lua/journal-entry.ts';
import { parseReservation } from '../../lua/replies.ts';
import type { StockRef } from '../../lua/stock.ts';
import type { Attempt } from '../../services/domain/reservation.ts';
import { randomEventName } from '../support/names.ts';
import * as model from './model.ts';
import { HOUR_MS, NO_DEADLINE_MS, type Sale, saleOf, stand } from './stand.ts';

const on = stand();

const RUNS = 300;
const COMMANDS_MAX = 25;
const IDS = 14;
const BUYERS = 4;

/** An id belongs to a buyer and has units, unless somebody abuses it. */
const anAttempt = fc.record({ id: fc.nat(IDS - 1), abuse: fc.option(fc.nat(5), { freq: 8 }) }).map(
  ({ id, abuse }): Attempt => ({
    reservationId: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
    buyer: `buyer-${(id + (abuse === null ? 0 : abuse % 2)) % BUYERS}`,
    units: 1 + ((id + (abuse ?? 0)) % 3),
  }),
);
const someAttempts = fc.array(anAttempt, { minLength: 1, maxLength: 7 });
const inFuture = fc.boolean();
const rarely = fc.nat(6).map((n) => n === 0);

const aCommand = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('reserve' as const), attempts: someAttempts, late: rarely }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), attempts: someAttempts }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), attempts: someAttempts }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('adjust' as const),
      step: fc.integer({ min: -1, max: 2 }),
      totalUnits: fc.nat(14),
      over: rarely,
      paused: rarely,
      closed: rarely,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('arm' as const), paused: rarely }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('preheat' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('rebuild' as const),
      step: fc.integer({ min: 0, max: 2 }),
      rows: fc.array(fc.record({ row: anAttempt, live: fc.boolean() }), { maxLength: 8 }),
      cut: fc.nat(8),
      stopAfter: fc.constantFrom('begin', 'load', 'finish', 'finish', 'finish'),
      totalUnits: fc.nat(16),
      armed: fc.boolean(),
      paused: rarely,
      closed: rarely,
    }),
  },
);
type Command = typeof aCommand extends fc.Arbitrary<infer T> ? T & { stale?: boolean } : never;

const aStory = fc.record({
  totalUnits: fc.nat(12),
  unitsPerBuyer: fc.integer({ min: 1, max: 5 }),
  opened: inFuture.map((f) => !f),
  armed: fc.nat(9).map((n) => n > 0),
  commands: fc.array(
    fc.tuple(aCommand, rarely, rarely).map(([command, a, b]): Command => ({ ...command, stale: a && b })),
    { minLength: 3, maxLength: COMMANDS_MAX, size: 'max' },
  ),
});

/** An answer as both sides can give it: without the id that Redis chose. */
const wordOf = (answer: { status: string; journalId?: string }): object => {
  const { journalId: _, ...rest } = answer;
  return rest;
};

async function checkState(sale: Sale, should: model.Model): Promise<void> {
  const [stockKey, buyersKey, reservationsKey, journalKey] = sale.keys;
  const { eventId } = sale.ref;
  const [stock, buyers, reservations, journal] = await Promise.all([
    on.redis.hgetall(stockKey),
    on.redis.hgetall(buyersKey),
    on.redis.hgetall(reservationsKey),
    on.redis.xrange(journalKey, '-', '+'),
  ]);
  const is = (field: string): number => Number(stock[field]);
  expect(is('totalUnits'), `the law of ${eventId}`).toBe(is('availableUnits') + is('heldUnits') + is('committedUnits'));
  const recovering = should.mode === 'recovering';
  // Before the first chunk the counters are what they were; after it the total is what has been loaded.
  if (!recovering) {
    expect({
      ...Object.fromEntries(Object.entries(stock).map(([name, value]) => [name, Number(value)])),
      mode: stock['mode'],
      loadedGeneration: 0,
    }).toEqual({
      generation: should.generation,
      revision: should.revision,
      mode: should.mode,
      closed: should.closed ? 1 : 0,
      startMs: should.startMs,
      endMs: should.endMs,
      unitsPerBuyer: should.unitsPerBuyer,
      totalUnits: should.totalUnits,
      availableUnits: model.available(should),
      heldUnits: model.unitsIn(should, 'held'),
      committedUnits: model.unitsIn(should, 'committed'),
      smallestRefusedAsk: should.smallestRefusedAsk,
      loadedGeneration: 0,
    });
    expect(is('availableUnits')).toBeGreaterThanOrEqual(0);
  } else if (should.loaded) {
    expect(is('committedUnits')).toBe(model.unitsIn(should, 'committed'));
  }
  const { '#': __, ...itsReservations } = reservations;
  const found = Object.entries(itsReservations).map(([id, value]) => {
    const parsed = parseReservation(id, value);
    if (parsed.state === 'malformed') throw new Error(`a script wrote ${value}`);
    const { journalId: _, ...reservation } = parsed;
    return [id, reservation] as const;
  });
  expect(new Map(found)).toEqual(should.reservations);
  const { '#': ___, ...itsBuyers } = buyers;
  const taken = [...should.reservations.values()].map(({ buyer }) => [buyer, model.takenBy(should, buyer)] as const);
  expect(Object.fromEntries(Object.entries(itsBuyers).map(([buyer, units]) => [buyer, Number(units)]))).toEqual(
    Object.fromEntries(taken.filter(([, units]) => units > 0)),
  );
  const entries = journal.map(([id, fields]) => {
    const { id: _, ...entry } = decodeEntry(id, fields);
    if (!('atMs' in entry)) return entry;
    const { atMs: ____, ...timeless } = entry;
    return timeless;
  });
  expect(entries).toEqual(should.journal);
}

/** Two buckets live the same story: in `whole` a batch is a call, in `single` every attempt is. */
interface Twin {
  sale: Sale;
  should: model.Model;
  batch: boolean;
}

const slices = <T>(items: readonly T[], batch: boolean): (readonly T[])[] =>
  batch ? [items] : items.map((item) => [item]);

async function reserveIn({ should, batch }: Twin, ref: StockRef, command: Command & { do: 'reserve' }) {
  const deadlineMs = command.late ? Date.now() - HOUR_MS : NO_DEADLINE_MS;
  const words: object[] = [];
  for (const attempts of slices(command.attempts, batch)) {
    const decision = await on.stock.reserve(ref, attempts, deadlineMs);
    const unarmed = should.mode === 'unarmed' ? { status: 'not-ready', reason: 'unarmed' } : undefined;
    const notReady = model.blocked(should, ref.generation) ?? unarmed;
    if (decision.status === 'not-ready') {
      expect(decision).toEqual(notReady);
      words.push(decision);
      continue;
    }
    expect(notReady).toBeUndefined();
    const expected = attempts.map((one) => model.reserve(should, one, decision.nowMs, deadlineMs));
    expect(decision.answers.map(wordOf)).toEqual(expected);
    expect(decision.availableUnits).toBe(model.available(should));
    words.push(...expected);
  }
  return words;
}

async function moveIn(
  { sale: _, should, batch }: Twin,
  ref: StockRef,
  command: Command & { do: 'commit' | 'release' },
) {
  const words: unknown[] = [];
  for (const items of slices(command.attempts, batch)) {
    const done = command.do === 'commit' ? await on.stock.commit(ref, items) : await on.stock.release(ref, items);
    const notReady = model.blocked(should, ref.generation);
    if (notReady !== undefined) expect(done).toEqual(notReady);
    else {
      const answers = command.do === 'commit' ? model.commit(should, items) : model.release(should, items);
      expect(done).toEqual({ status: 'done', answers });
    }
    words.push(...(done.status === 'done' ? done.answers : [done]));
  }
  return words;
}

async function rebuildIn({ should }: Twin, ref: StockRef, command: Command & { do: 'rebuild' }) {
  const next = { ...ref, generation: should.generation + command.step };
  const begun = await on.stock.rebuildBegin(next);
  expect(begun).toEqual(model.rebuildBegin(should, next.generation));
  if (begun.status !== 'begun' || command.stopAfter === 'begin') return [begun];
  const rows = command.rows.map(({ row, live }, i) => ({ ...row, live, journalId: `1-${i}` }));
  // A row is one order: it comes again only as itself.
  const unique = rows.filter((row, i) => rows.findIndex((one) => one.reservationId === row.reservationId) === i);
  const chunks = [unique.slice(0, command.cut), unique.slice(command.cut)];
  for (const [i, chunk] of chunks.entries()) {
    const load = { first: i === 0, unitsPerBuyer: should.unitsPerBuyer, rows: chunk };
    expect(await on.stock.rebuildLoad(next, load)).toEqual({
      status: 'loaded',
      overLimit: model.rebuildLoad(should, load),
    });
  }
  if (command.stopAfter === 'load') return [begun];
  const { startMs, endMs, unitsPerBuyer } = should;
  const { totalUnits, armed, paused, closed } = command;
  const settings = { revision: should.revision + 1, totalUnits, startMs, endMs, unitsPerBuyer, armed, paused, closed };
  const finished = await on.stock.rebuildFinish(next, settings);
  expect(finished).toEqual(model.rebuildFinish(should, settings));
  return [finished];
}

async function adjustIn({ should }: Twin, ref: StockRef, command: Command & { do: 'adjust' }) {
  const { totalUnits, paused, closed } = command;
  const endMs = command.over ? NO_DEADLINE_MS - 100 * HOUR_MS : NO_DEADLINE_MS;
  const target = { revision: should.revision + command.step, totalUnits, endMs, paused, closed };
  const done = await on.stock.adjust(ref, target);
  expect(done).toEqual(model.blocked(should, ref.generation) ?? model.adjust(should, target));
  return [done];
}

async function step(twin: Twin, command: Command): Promise<unknown[]> {
  const { sale, should } = twin;
  const ref = { ...sale.ref, generation: command.stale ? should.generation + 1 : should.generation };
  switch (command.do) {
    case 'reserve':
      return reserveIn(twin, ref, command);
    case 'commit':
    case 'release':
      return moveIn(twin, ref, command);
    case 'adjust':
      return adjustIn(twin, ref, command);
    case 'arm': {
      const done = await on.stock.arm(ref, { paused: command.paused });
      expect(done).toEqual(model.blocked(should, ref.generation) ?? model.arm(should, command.paused));
      return [done];
    }
    case 'preheat': {
      // Of the present generation: it is there. Nothing that a preheat of an older one may find.
      const done = await on.stock.preheat({ ...ref, generation: should.generation }, should);
      expect(done).toEqual({ status: 'exists' });
      return [done];
    }
    case 'rebuild':
      return rebuildIn(twin, sale.ref, command);
  }
}

test('every story ends as the plain model says, batch by batch and one by one', { timeout: 240_000 }, async () => {
  const told = new Set<string>();
  await fc.assert(
    fc.asyncProperty(aStory, async ({ totalUnits, unitsPerBuyer, opened, armed, commands }) => {
      const startMs = Date.now() + (opened ? -HOUR_MS : HOUR_MS);
      const settings = { revision: 1, totalUnits, startMs, endMs: NO_DEADLINE_MS, unitsPerBuyer };
      const twins: Twin[] = [];
      for (const batch of [true, false]) {
        const ref = { eventId: `test.${randomEventName()}.1`, bucket: 0, generation: 1, run: on.run };
        const twin = { sale: saleOf(on.redis, ref), should: model.preheated(settings), batch };
        twins.push(twin);
        expect(await on.stock.preheat(ref, settings)).toEqual({ status: 'preheated' });
        if (armed) expect(await on.stock.arm(ref, { paused: false })).toEqual(model.arm(twin.should, false));
      }
      try {
        for (const command of commands) {
          const words: unknown[][] = [];
          for (const twin of twins) {
            words.push(await step(twin, command));
            await checkState(twin.sale, twin.should);
          }
          const [whole, single] = words;
          if (whole?.length === single?.length) expect(whole).toEqual(single);
          for (const word of whole ?? []) told.add(JSON.stringify(word).replace(/\d+/g, 'N'));
        }
      } finally {
        for (const { sale } of twins) await on.redis.unlink(...sale.keys);
      }
    }),
    { numRuns: RUNS },
  );
  // Stories that never come to a reply would prove nothing of it.
  for (const status of ['late', 'paused', 'not-open', 'closed', 'limit-exceeded', 'sold-out', 'held', 'conflict']) {
    expect(
      [...told].some((word) => word.includes(`"${status}"`)),
      status,
    ).toBe(true);
  }
  for (const word of ['"committed"', '"released"', '"refused"', '"conflict"']) expect(told).toContain(word);
  for (const reason of ['other-generation', 'recovering', 'unarmed']) {
    expect(told).toContain(JSON.stringify({ status: 'not-ready', reason }));
  }
});
