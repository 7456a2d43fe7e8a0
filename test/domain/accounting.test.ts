import { describe, expect, test } from 'vitest';
import { ACCURATE, type Accuracy, account, type Books, isAccurate } from '../../services/domain/accounting.ts';
import type { OrderState } from '../../services/domain/order.ts';
import type { ReservationState } from '../../services/domain/reservation.ts';

interface Scene {
  /** `id: state`, with `xN` for units and `@buyer` where they matter: 'committed x2 @ann'. */
  redis?: Record<string, string>;
  ledger?: Record<string, string>;
  /** Told, and in the journal; all of Redis when absent. */
  told?: string[];
  /** In the journal without having been told. */
  journaled?: string[];
  notDue?: string[];
  returning?: string[];
  totalUnits?: number;
  unitsPerBuyer?: number;
  over?: boolean;
  stock?: Partial<Books['stocks'][number]>;
}

const fact = (text: string, id: string) => {
  const [state = '', ...rest] = text.split(' ');
  const units = Number(rest.find((word) => word.startsWith('x'))?.slice(1) ?? 1);
  return { state, units, buyer: rest.find((word) => word.startsWith('@')) ?? id };
};

function books(scene: Scene): Books {
  const { redis = {}, ledger = {}, told = Object.keys(redis), totalUnits = 10, unitsPerBuyer = 2 } = scene;
  const reservations = new Map(
    Object.entries(redis).map(([id, text]) => {
      const { state, ...rest } = fact(text, id);
      return [id, { ...rest, state: state as ReservationState }];
    }),
  );
  const orders = new Map(
    Object.entries(ledger).map(([id, text]) => {
      const { state, ...rest } = fact(text, id);
      return [id, { ...rest, state: state as OrderState }];
    }),
  );
  const unitsOf = (wanted: ReservationState) =>
    [...reservations.values()].reduce((sum, { state, units }) => (state === wanted ? sum + units : sum), 0);
  const [heldUnits, committedUnits] = [unitsOf('held'), unitsOf('committed')];
  const availableUnits = totalUnits - heldUnits - committedUnits;
  return {
    ...{ totalUnits, unitsPerBuyer, over: scene.over ?? false },
    stocks: [{ totalUnits, availableUnits, heldUnits, committedUnits, smallestRefusedAsk: 0, ...scene.stock }],
    ...{ reservations, orders },
    told: new Set(told),
    journaled: new Set([...told, ...(scene.journaled ?? [])]),
    isDue: (id) => !(scene.notDue ?? []).includes(id),
    returning: new Set(scene.returning),
  };
}

const LIVE = 'PENDING_PAYMENT';
const EXACT: Scene = {
  redis: { a: 'committed', b: 'committed x2', c: 'released' },
  ledger: { a: LIVE, b: 'PAID x2', c: 'CANCELLED' },
};

test.each<[string, Scene, Partial<Accuracy>]>([
  ['two sides that agree', EXACT, {}],
  ['nothing at all', {}, {}],
  // oversold
  ['live orders up to the total', { ...EXACT, totalUnits: 3 }, {}],
  [
    'live orders above the total',
    { ...EXACT, totalUnits: 2, stock: { availableUnits: 0, totalUnits: 3 } },
    { oversold: 1 },
  ],
  [
    'ended orders above the total',
    { redis: { a: 'released', b: 'released' }, ledger: { a: 'EXPIRED', b: 'VOIDED' }, totalUnits: 0 },
    {},
  ],
  // undersold
  ['units left, nobody refused', { over: true, totalUnits: 5 }, {}],
  [
    'units left that somebody was refused',
    { over: true, totalUnits: 5, stock: { smallestRefusedAsk: 2 } },
    { undersold: 5 },
  ],
  ['fewer units left than anybody was refused', { over: true, totalUnits: 1, stock: { smallestRefusedAsk: 2 } }, {}],
  ['units left while the sale goes on', { totalUnits: 5, stock: { smallestRefusedAsk: 1 } }, {}],
  // broken
  ['a told hold without an order', { redis: { a: 'held' } }, { broken: 1 }],
  ['a told hold without an order that is not due', { redis: { a: 'held' }, notDue: ['a'] }, {}],
  ['a told hold that Redis has lost, without an order', { told: ['a'] }, { broken: 1 }],
  [
    'a committed reservation without an order, whose hold the journal forgot',
    { redis: { a: 'committed' }, told: [] },
    { broken: 1 },
  ],
  // phantom
  ['an order that nobody was told of', { ledger: { a: LIVE } }, { phantom: 1 }],
  ['one that is not due, so that its commit may be on its way', { ledger: { a: LIVE }, notDue: ['a'] }, {}],
  ['an ended order that nobody was told of', { ledger: { a: 'CANCELLED' } }, { phantom: 1 }],
  ['an order whose hold a rebuild has brought', { redis: { a: 'committed' }, told: [], ledger: { a: LIVE } }, {}],
  // overLimit
  [
    'a buyer at his limit',
    { redis: { a: 'committed @x', b: 'committed @x' }, ledger: { a: `${LIVE} @x`, b: `${LIVE} @x` } },
    {},
  ],
  [
    'a buyer above his limit, counted once',
    {
      redis: { a: 'committed @x', b: 'committed @x', c: 'committed @x' },
      ledger: { a: `${LIVE} @x`, b: `${LIVE} @x`, c: `${LIVE} @x` },
    },
    { overLimit: 1 },
  ],
  [
    'a buyer above his limit by an order that Redis may still refuse',
    {
      redis: { a: 'committed @x x2' },
      ledger: { a: `${LIVE} @x x2`, b: `${LIVE} @x` },
      notDue: ['b'],
    },
    {},
  ],
  [
    'a buyer whose ended orders would be above his limit',
    {
      redis: { a: 'committed @x x2', b: 'released @x' },
      ledger: { a: `${LIVE} @x x2`, b: 'EXPIRED @x' },
    },
    {},
  ],
  // drift
  ['a counter that is off by three', { ...EXACT, stock: { availableUnits: 4 } }, { drift: 3 }],
  ['a counter that is off the other way', { ...EXACT, stock: { committedUnits: 5 } }, { drift: 2 }],
  ['a live order that is still held', { redis: { a: 'held' }, ledger: { a: LIVE } }, { drift: 1 }],
  ['one that is not due', { redis: { a: 'held' }, ledger: { a: LIVE }, notDue: ['a'] }, {}],
  ['a live order that was released', { redis: { a: 'released' }, ledger: { a: LIVE } }, { drift: 1 }],
  ['an ended order that is committed', { redis: { a: 'committed' }, ledger: { a: 'VOIDED' } }, { drift: 1 }],
  ['one whose return is on its way', { redis: { a: 'committed' }, ledger: { a: 'CANCELLED' }, returning: ['a'] }, {}],
  ['a live order whose reservation is gone', { told: ['a'], ledger: { a: LIVE } }, { drift: 1 }],
  [
    'a reservation that cannot be read',
    { redis: { a: 'malformed', b: 'malformed' }, ledger: { a: LIVE, b: 'VOIDED' } },
    { drift: 2 },
  ],
  ['other units', { redis: { a: 'committed x2' }, ledger: { a: LIVE } }, { drift: 1 }],
  ['another buyer', { redis: { a: 'committed @x' }, ledger: { a: `${LIVE} @y` } }, { drift: 1 }],
  ['a released one without order or hold', { redis: { a: 'released' }, told: [], journaled: ['a'] }, {}],
  // Equal counts, unequal ids.
  [
    'a lost order and an invented one',
    { redis: { a: 'committed', b: 'committed' }, ledger: { a: LIVE, z: LIVE } },
    { broken: 1, phantom: 1 },
  ],
  [
    'two that differ in opposite ways',
    { redis: { a: 'committed', b: 'released' }, ledger: { a: 'CANCELLED', b: LIVE } },
    { drift: 2 },
  ],
])('%s', (_what, scene, expected) => {
  const { accuracy, findings } = account(books(scene));
  expect(accuracy).toEqual({ ...ACCURATE, ...expected });
  expect(isAccurate(accuracy)).toBe(Object.keys(expected).length === 0);
  expect(findings.length > 0).toBe(Object.keys(expected).length > 0);
});

describe('findings', () => {
  test('name the order and the number, and no buyer', () => {
    const { findings } = account(
      books({ redis: { a: 'held @ann' }, ledger: { z: `${LIVE} x3 @bob` }, told: ['a'], unitsPerBuyer: 1 }),
    );
    expect(findings.map(({ number, id }) => [number, id])).toEqual([
      ['overLimit', 'z'],
      ['broken', 'a'],
      ['phantom', 'z'],
    ]);
    expect(JSON.stringify(findings)).not.toMatch(/ann|bob/);
  });

  test('buckets are counted one by one, and what is left of them together', () => {
    const stock = { totalUnits: 5, availableUnits: 1, heldUnits: 0, committedUnits: 4, smallestRefusedAsk: 0 };
    const { accuracy } = account({
      ...books({ over: true }),
      stocks: [stock, { ...stock, availableUnits: 2, smallestRefusedAsk: 3 }, { ...stock, committedUnits: 3 }],
    });
    expect(accuracy).toEqual({ ...ACCURATE, drift: 2, undersold: 4 });
  });
});
