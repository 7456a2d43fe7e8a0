import { isLive, type OrderState } from '../../services/domain/order.ts';
import type { Winner } from '../load/player.ts';
import { FINDINGS_MAX } from './limits.ts';

/** What the comparison needs of an order. Its id is its reservation's. */
export interface ComparedOrder {
  id: string;
  buyer: string;
  units: number;
  state: OrderState;
}

/** Winners that the buyers' side wrote down, against the orders of the ledger, one by one. */
export interface Comparison {
  winners: number;
  liveOrders: number;
  /** Winners with exactly one live order of their own: same reservation, buyer and units. */
  matched: number;
  /** Winners without a live order. */
  missing: number;
  /** Winners whose order names another buyer or other units, or whose reservation another winner or order has too. */
  mismatched: number;
  /** Live orders of buyers who were not told that they won, and whose outcome is not unknown either. */
  strangers: number;
  /** Live orders of buyers who never got a definite answer. They are legal: the unit is theirs, and they can ask. */
  ofUnknown: number;
  exact: boolean;
  /** A sentence for each of the first findings. */
  findings: string[];
}

export function compareWinners(
  winners: readonly Winner[],
  unknownBuyers: readonly string[],
  orders: Iterable<ComparedOrder>,
): Comparison {
  const findings: string[] = [];
  const find = (sentence: string): void => {
    if (findings.length < FINDINGS_MAX) findings.push(sentence);
  };
  const live = Map.groupBy(
    [...orders].filter((order) => isLive(order.state)),
    (order) => order.id,
  );
  const told = Map.groupBy(winners, (winner) => winner.reservationId);
  const unknown = new Set(unknownBuyers);
  const count = { matched: 0, missing: 0, mismatched: 0, strangers: 0, ofUnknown: 0, liveOrders: 0 };

  for (const [reservationId, claims] of told) {
    const found = live.get(reservationId) ?? [];
    const [order] = found;
    const [winner] = claims;
    if (order === undefined) {
      count.missing += claims.length;
      find(`${reservationId}: a buyer was told that it is held, and the ledger has no live order of it`);
    } else if (claims.length > 1 || found.length > 1) {
      count.mismatched += claims.length;
      find(`${reservationId}: ${claims.length} buyers were told that it is theirs, ${found.length} orders have it`);
    } else if (order.buyer !== winner?.buyer || order.units !== winner.units) {
      count.mismatched += 1;
      find(`${reservationId}: its order names another buyer or other units than the buyer was told`);
    } else count.matched += 1;
  }
  for (const [reservationId, found] of live) {
    count.liveOrders += found.length;
    if (told.has(reservationId)) continue;
    for (const order of found) {
      if (unknown.has(order.buyer)) count.ofUnknown += 1;
      else {
        count.strangers += 1;
        find(`${reservationId}: an order whose buyer was never told that he holds it`);
      }
    }
  }
  const exact = count.missing === 0 && count.mismatched === 0 && count.strangers === 0;
  return { winners: winners.length, ...count, exact, findings };
}
