import { isLive, type OrderState } from './order.ts';
import type { ReservationState } from './reservation.ts';

/** The six numbers of one event. All zero is what 100 % accurate means. Found by id, never by comparing counts. */
export interface Accuracy {
  /** Units of live orders above the total. */
  oversold: number;
  /** After closing: units left, if they would have been enough for somebody who was refused since units last came back. */
  undersold: number;
  /** Reservations that Redis recorded, in the journal or by themselves, and that are due, without an order. */
  broken: number;
  /** Orders whose reservation Redis does not have, its journal included. */
  phantom: number;
  /** Buyers whose live units exceed the limit. */
  overLimit: number;
  /** By how much a counter fails, of Redis or of the ledger's sold units, plus due reservations that differ from their order. */
  drift: number;
}

export const ACCURATE: Accuracy = { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 };

export function isAccurate(accuracy: Accuracy): boolean {
  return Object.values(accuracy).every((value) => value === 0);
}

export interface OrderFact {
  state: OrderState;
  buyer: string;
  units: number;
}

export type ReservationFact = { state: ReservationState; buyer: string; units: number } | { state: 'malformed' };

export interface StockFact {
  totalUnits: number;
  availableUnits: number;
  heldUnits: number;
  committedUnits: number;
  /** Fewest units that somebody was refused since units last came back; 0: nobody was. */
  smallestRefusedAsk: number;
}

/** What both sides say of one event. All maps and sets are by reservation id, which is the order id. */
export interface Books {
  /** The ledger's total. */
  totalUnits: number;
  unitsPerBuyer: number;
  /** Whether nothing can be sold any more: closed, or past the end. */
  over: boolean;
  /** One of each bucket, each read at one instant. */
  stocks: readonly StockFact[];
  reservations: ReadonlyMap<string, ReservationFact>;
  orders: ReadonlyMap<string, OrderFact>;
  /** Recorded as held in the journal, also in the part of it that was trimmed. */
  told: ReadonlySet<string>;
  /** Named by the journal in any way, or found in Redis by an earlier audit. */
  journaled: { has(id: string): boolean };
  /** Whether the consumers have provably passed what Kafka held after this one was relayed. */
  isDue(id: string): boolean;
  /** Orders that gave their units back, which Redis has yet to be told of: they lag, and do not differ. */
  returning: ReadonlySet<string>;
}

/** One thing that is wrong. `id` is an order's; without one it is the event as a whole. */
export interface Finding {
  number: keyof Accuracy;
  id?: string;
  what: string;
}

export interface Account {
  accuracy: Accuracy;
  findings: Finding[];
}

/** Compares the two sides. Each fault counts in one number only: the first that describes it. */
export function account(books: Books): Account {
  const findings: Finding[] = [];
  const accuracy: Accuracy = { ...ACCURATE };
  const found = (number: keyof Accuracy, units: number, what: string, id?: string): void => {
    accuracy[number] += units;
    findings.push(id === undefined ? { number, what } : { number, id, what });
  };

  compareUnits(books, found);
  findOverLimit(books, found);
  const judge = (id: string): void => {
    if (!books.isDue(id)) return;
    const verdict = judgeOne({
      order: books.orders.get(id),
      reservation: books.reservations.get(id),
      told: books.told.has(id),
      journaled: books.journaled.has(id),
      returning: books.returning.has(id),
    });
    if (verdict !== undefined) found(verdict.number, 1, verdict.what, id);
  };
  for (const id of books.told) if (!books.orders.has(id)) judge(id);
  for (const id of books.orders.keys()) judge(id);
  for (const id of books.reservations.keys()) if (!books.orders.has(id) && !books.told.has(id)) judge(id);
  return { accuracy, findings };
}

/** What both sides say of one reservation that is due. */
export interface OneFact {
  order: OrderFact | undefined;
  reservation: ReservationFact | undefined;
  told: boolean;
  journaled: boolean;
  returning: boolean;
}

/** What is wrong with one reservation that is due; each fault is of one number. */
export function judgeOne(one: OneFact): { number: 'broken' | 'phantom' | 'drift'; what: string } | undefined {
  const { order, reservation } = one;
  if (order === undefined) {
    if (one.told) return { number: 'broken', what: 'told to a buyer, and there is no order' };
    // What Redis recorded was told, whether or not the journal still says so. A released one owes nobody anything.
    if (reservation === undefined || reservation.state === 'released') return undefined;
    return { number: 'broken', what: `the reservation is ${reservation.state}, and there is no order` };
  }
  if (reservation === undefined && !one.journaled) {
    return { number: 'phantom', what: `the order is ${order.state}, and Redis knows no such reservation` };
  }
  const what = one.returning ? undefined : difference(order, reservation);
  return what === undefined ? undefined : { number: 'drift', what };
}

type Found = (number: keyof Accuracy, units: number, what: string, id?: string) => void;

function compareUnits({ totalUnits, over, stocks, orders }: Books, found: Found): void {
  let liveUnits = 0;
  for (const { state, units } of orders.values()) if (isLive(state)) liveUnits += units;
  if (liveUnits > totalUnits) {
    found('oversold', liveUnits - totalUnits, `live orders have ${liveUnits} units of ${totalUnits}`);
  }
  for (const [bucket, stock] of stocks.entries()) {
    const { availableUnits, heldUnits, committedUnits } = stock;
    const gap = stock.totalUnits - availableUnits - heldUnits - committedUnits;
    if (gap !== 0) found('drift', Math.abs(gap), `total − available − held − committed is ${gap} in bucket ${bucket}`);
  }
  const unsold = leftUnsold(over, stocks);
  if (unsold > 0) found('undersold', unsold, `${unsold} units are left although somebody was refused as few or fewer`);
}

/** Units left at the end, if they would have been enough for somebody who was refused since units last came back. */
export function leftUnsold(
  over: boolean,
  stocks: readonly Pick<StockFact, 'availableUnits' | 'smallestRefusedAsk'>[],
): number {
  let leftUnits = 0;
  let smallestAsk = 0;
  for (const { availableUnits, smallestRefusedAsk } of stocks) {
    leftUnits += availableUnits;
    if (smallestRefusedAsk > 0) smallestAsk = Math.min(smallestAsk || smallestRefusedAsk, smallestRefusedAsk);
  }
  return over && smallestAsk > 0 && leftUnits >= smallestAsk ? leftUnits : 0;
}

/** Orders that are due: another one may still be refused by Redis, and is void then. */
function findOverLimit({ orders, unitsPerBuyer, isDue }: Books, found: Found): void {
  const liveUnits = new Map<string, number>();
  for (const [id, { state, buyer, units }] of orders) {
    if (isLive(state) && isDue(id)) liveUnits.set(buyer, (liveUnits.get(buyer) ?? 0) + units);
  }
  // Named by one of his orders: who a buyer is belongs to nobody's report.
  const named = new Set<string>();
  for (const [id, { state, buyer }] of orders) {
    const units = liveUnits.get(buyer) ?? 0;
    if (units <= unitsPerBuyer || !isLive(state) || !isDue(id) || named.has(buyer)) continue;
    named.add(buyer);
    found('overLimit', 1, `the buyer of this order has ${units} live units, and may have ${unitsPerBuyer}`, id);
  }
}

/** How a reservation that is due differs from its order, in words; `undefined` when it does not. */
function difference(order: OrderFact, reservation: ReservationFact | undefined): string | undefined {
  if (reservation === undefined) {
    return isLive(order.state) ? `the order is ${order.state}, and the reservation is gone` : undefined;
  }
  if (reservation.state === 'malformed') return `the order is ${order.state}, and the reservation cannot be read`;
  if (reservation.buyer !== order.buyer) return 'order and reservation name different buyers';
  if (reservation.units !== order.units) {
    return `the order has ${order.units} units, and the reservation ${reservation.units}`;
  }
  const expected: ReservationState = isLive(order.state) ? 'committed' : 'released';
  if (reservation.state === expected) return undefined;
  return `the order is ${order.state}, and the reservation ${reservation.state}`;
}
