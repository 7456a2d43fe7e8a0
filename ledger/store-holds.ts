import assert from 'node:assert/strict';
import type { HoldMessage } from '../services/domain/hold-message.ts';
import { ORDER_CHUNK_MAX_ROWS } from '../services/domain/limits.ts';
import { isLive, type OrderState } from '../services/domain/order.ts';
import { type Database, ROLL_BACK, type Session, type SqlRow, type SqlValue, sqlVariable } from './database.ts';
import { lockEvent } from './events.ts';
import { failureKind } from './failures.ts';
import { EVENT_COLUMNS, eventOf, type LedgerEvent } from './rows.ts';

/** What became of one hold. The state, units and buyer are the row's, which may be older than the message. */
export interface StoredHold {
  id: string;
  state: OrderState;
  units: number;
  buyer: string;
  /**
   * `differs`: this event has a row of this id with another buyer or other units. `other-event`: another event has one,
   * and nothing was stored. In both cases the message contradicts the ledger, which stays as it is.
   */
  stored: 'new' | 'there' | 'differs' | 'other-event';
}

/** What the stock of one generation answered when it was asked for units for holds of earlier ones. */
export interface StockWord {
  generation: number;
  /** Ids of holds that the stock has no place for. All others have their units. */
  refused: ReadonlySet<string>;
}

export type StoreHoldsResult =
  | { status: 'unknown-event' }
  /** The event was never preheated to its end, so that nothing can have been held. Nothing was stored. */
  | { status: 'not-warmed' }
  /**
   * These holds have no row, and are of an earlier generation than the stock that sells now. That stock has to say first
   * whether it has a place for them; then all holds are brought again, with its word. Nothing was stored.
   */
  | { status: 'ask-stock'; event: LedgerEvent; holds: HoldMessage[] }
  | { status: 'stored'; event: LedgerEvent; rows: StoredHold[] };

/** Why an order is void that Redis has no place for. */
export const REFUSED_BY_STOCK = 'refused-by-stock';

const COUNT_UNITS = `UPDATE events SET sold_units = sold_units + ? WHERE event_id = ? AND sold_units + ? <= total_units
  AND (state = 'recovering' OR (state = 'warmed' AND generation <= ?))`;

/** The price is the event's, and so it is read where the rows are written. */
const READ_PRICE = `SELECT JSON_VALUE(product, '$.priceMinor'), JSON_VALUE(product, '$.currency')
  INTO @price_minor, @currency FROM events WHERE event_id = ?`;
const PRICE_OF_EVENT: Price = { priceMinor: sqlVariable('@price_minor'), currency: sqlVariable('@currency') };

const INSERT_ORDERS = `INSERT INTO orders (id, event_id, bucket, generation, journal_id, buyer, units, state, reason,
  price_minor, currency, held_at_ms) VALUES ?`;

/**
 * Stores the holds of one event, all in one transaction, and reads the event's row in it. The answer's rows stand in the
 * order of `holds`. Repeats change nothing.
 *
 * The usual way is one script: the counter goes up under the barrier, which takes the event row's lock (so that within
 * an event the rows' `seq` is the order of the commits), the event is read under that lock, and all rows go in at once.
 * The lock is what all chunks of an event wait for, so nothing of ours is waited for under it but the word to commit.
 * When a row is there already, or the sum does not fit, nothing of that stays, and the holds are walked one by one under
 * the same lock in the order of the journal: each is there, or fits, or is stored as VOIDED. Never is one dropped, and
 * never do live units go above the total: this is the barrier behind Redis.
 *
 * While a stock sells, every live row must have its units in it. Otherwise rows that the stock refuses a moment later
 * would fill the total meanwhile, and holds that do have their units there would be voided by the barrier. So a hold of
 * an earlier generation, of which the stock may know nothing, becomes a row only by the stock's word.
 */
export async function storeHolds(
  database: Database,
  eventId: string,
  holds: readonly HoldMessage[],
  word?: StockWord,
): Promise<StoreHoldsResult> {
  assert(holds.length > 0 && holds.length <= ORDER_CHUNK_MAX_ROWS, 'a chunk has 1 to ORDER_CHUNK_MAX_ROWS holds');
  assert(
    holds.every((hold) => hold.eventId === eventId),
    'all holds of one call are of one event',
  );
  try {
    const stored = await database.transaction('storing holds', (session) => storeAtOnce(session, eventId, holds));
    if (stored !== ROLL_BACK) return stored;
  } catch (error) {
    if (failureKind(error) !== 'duplicate') throw error;
  }
  for (;;) {
    try {
      return await database.transaction('storing holds one by one', (session) =>
        storeEach(session, eventId, holds, word),
      );
    } catch (error) {
      // Between our look and our insert another event's transaction took one of the ids: look again, it is there now.
      if (failureKind(error) !== 'duplicate') throw error;
    }
  }
}

/**
 * ROLL_BACK: they do not all fit, or one is of an earlier generation than the stock that sells, or there is no such event,
 * or it is neither warmed nor recovering.
 */
async function storeAtOnce(
  session: Session,
  eventId: string,
  holds: readonly HoldMessage[],
): Promise<StoreHoldsResult | typeof ROLL_BACK> {
  const units = holds.reduce((sum, hold) => sum + hold.units, 0);
  const earliest = Math.min(...holds.map((hold) => hold.generation));
  const inserts = holds.map((hold) => orderValues(hold, PRICE_OF_EVENT, 'PENDING_PAYMENT', null));
  const [counted, found] = await session.script([
    [COUNT_UNITS, [units, eventId, units, earliest]],
    [`SELECT ${EVENT_COLUMNS} FROM events WHERE event_id = ?`, [eventId]],
    [READ_PRICE, [eventId]],
    [INSERT_ORDERS, [inserts]],
  ]);
  // The rows went in all the same.
  if (counted === 0) return ROLL_BACK;
  assert(counted === 1 && Array.isArray(found) && found[0] !== undefined, 'a row that was just updated must be there');
  const rows = holds.map(({ reservationId, units: own, buyer }): StoredHold => {
    return { id: reservationId, state: 'PENDING_PAYMENT', units: own, buyer, stored: 'new' };
  });
  return { status: 'stored', event: eventOf(found[0]), rows };
}

async function storeEach(
  session: Session,
  eventId: string,
  holds: readonly HoldMessage[],
  word: StockWord | undefined,
): Promise<StoreHoldsResult> {
  const event = await lockEvent(session, eventId);
  if (event === undefined) return { status: 'unknown-event' };
  if (event.state === 'warming') return { status: 'not-warmed' };
  const known = new Map<string, SqlRow>();
  const ids = [...new Set(holds.map((hold) => hold.reservationId))];
  for (const row of await session.rows('SELECT id, event_id, buyer, units, state FROM orders WHERE id IN (?)', [ids])) {
    known.set(row['id'] as string, row);
  }
  const refused = word?.generation === event.generation ? word.refused : undefined;
  if (event.state === 'warmed' && refused === undefined) {
    const earlier = holds.filter((hold) => hold.generation < event.generation && !known.has(hold.reservationId));
    if (earlier.length > 0) return { status: 'ask-stock', event, holds: earlier };
  }

  const inserts: SqlValue[][] = [];
  const rows = new Array<StoredHold>(holds.length);
  let sold = event.soldUnits;
  for (const [index, hold] of [...holds.entries()].sort(([, a], [, b]) => byJournal(a, b))) {
    const present = known.get(hold.reservationId);
    if (present !== undefined) {
      rows[index] = presentHold(present, hold);
      continue;
    }
    const { state, reason } = stateOfNew(event, sold, hold, refused);
    if (isLive(state)) sold += hold.units;
    inserts.push(orderValues(hold, event.product, state, reason));
    const { reservationId: id, buyer, units } = hold;
    known.set(id, { id, event_id: eventId, buyer, units, state });
    rows[index] = { id, state, units, buyer, stored: 'new' };
  }

  if (inserts.length > 0) await session.write(INSERT_ORDERS, [inserts]);
  if (sold !== event.soldUnits) {
    await session.write('UPDATE events SET sold_units = ? WHERE event_id = ?', [sold, eventId]);
  }
  return { status: 'stored', event: { ...event, soldUnits: sold }, rows };
}

function presentHold(row: SqlRow, hold: HoldMessage): StoredHold {
  const same = row['buyer'] === hold.buyer && row['units'] === hold.units;
  return {
    id: hold.reservationId,
    state: row['state'] as OrderState,
    units: row['units'] as number,
    buyer: row['buyer'] as string,
    stored: row['event_id'] !== hold.eventId ? 'other-event' : same ? 'there' : 'differs',
  };
}

function stateOfNew(
  event: LedgerEvent,
  soldUnits: number,
  hold: HoldMessage,
  refused: ReadonlySet<string> | undefined,
): { state: OrderState; reason: string | null } {
  // What the settlement counted stays as it was.
  if (event.state === 'settled') return { state: 'VOIDED', reason: 'settled' };
  if (event.state === 'warmed' && refused?.has(hold.reservationId) === true) {
    return { state: 'VOIDED', reason: REFUSED_BY_STOCK };
  }
  if (soldUnits + hold.units > event.totalUnits) return { state: 'VOIDED', reason: 'over-total' };
  return { state: 'PENDING_PAYMENT', reason: null };
}

interface Price {
  priceMinor: SqlValue;
  currency: SqlValue;
}

function orderValues(hold: HoldMessage, price: Price, state: OrderState, reason: string | null): SqlValue[] {
  const { reservationId, eventId, bucket, generation, journalId, buyer, units, heldAtMs } = hold;
  const { priceMinor, currency } = price;
  return [
    ...[reservationId, eventId, bucket, generation, journalId, buyer, units, state, reason],
    ...[priceMinor, currency, heldAtMs],
  ];
}

/** Generation first: a rebuilt stock has a journal of its own. Ids are `milliseconds-sequence`. */
function byJournal(a: HoldMessage, b: HoldMessage): number {
  if (a.generation !== b.generation) return a.generation - b.generation;
  const [aMs = 0, aSeq = 0] = a.journalId.split('-').map(Number);
  const [bMs = 0, bSeq = 0] = b.journalId.split('-').map(Number);
  return aMs - bMs || aSeq - bSeq;
}
