import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ComparedOrder, compareWinners } from '../../cli/report/compare.ts';

const winner = (n: number) => ({ buyer: `b${n}`, reservationId: `r${n}`, units: 1 });
const order = (n: number, changes: Partial<ComparedOrder> = {}): ComparedOrder => ({
  id: `r${n}`,
  buyer: `b${n}`,
  units: 1,
  state: 'PENDING_PAYMENT',
  ...changes,
});

test('winners with an order each of their own are exact', () => {
  const compared = compareWinners([winner(1), winner(2)], [], [order(2), order(1)]);
  expect(compared).toMatchObject({ winners: 2, matched: 2, liveOrders: 2, exact: true, findings: [] });
});

test.each([
  ['a winner without an order', [winner(1)], [], [], { missing: 1 }],
  ['a winner whose order is void', [winner(1)], [], [order(1, { state: 'VOIDED' })], { missing: 1 }],
  ['an order of another buyer', [winner(1)], [], [order(1, { buyer: 'b2' })], { mismatched: 1 }],
  ['an order of other units', [winner(1)], [], [order(1, { units: 2 })], { mismatched: 1 }],
  ['two orders of one reservation', [winner(1)], [], [order(1), order(1)], { mismatched: 1 }],
  ['one reservation for two winners', [winner(1), { ...winner(1), buyer: 'b2' }], [], [order(1)], { mismatched: 2 }],
  ['an order of a buyer who was told no', [winner(1)], ['b3'], [order(1), order(2)], { strangers: 1, matched: 1 }],
] as const)('%s is not exact', (_name, winners, unknown, orders, expected) => {
  const compared = compareWinners(winners, unknown, orders);
  expect(compared).toMatchObject({ ...expected, exact: false });
  expect(compared.findings).toHaveLength(1);
});

test('an order of a buyer who never got a definite answer is legal, and so is a void one of anybody', () => {
  const orders = [order(1), order(2), order(3, { state: 'VOIDED' })];
  expect(compareWinners([winner(1)], ['b2'], orders)).toMatchObject({ matched: 1, ofUnknown: 1, exact: true });
});

test('the counts balance, whatever was told and stored', () => {
  const ids = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 20 });
  fc.assert(
    fc.property(ids, ids, ids, (told, unknown, stored) => {
      const compared = compareWinners(
        told.map(winner),
        unknown.map((n) => `b${n}`),
        stored.map((n) => order(n)),
      );
      expect(compared.matched + compared.missing + compared.mismatched).toBe(told.length);
      expect(compared.liveOrders).toBe(stored.length);
      expect(compared.findings.length === 0).toBe(compared.exact);
    }),
  );
});
