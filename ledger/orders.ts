import assert from 'node:assert/strict';
import { col, fn } from 'sequelize';
import type { HoldMessage } from '../services/domain/hold-message.ts';
import type { OrderState } from '../services/domain/order.ts';
import type { Database, Session } from './database.ts';
import { lockEvent } from './events.ts';
import { IDS_MAX_PER_STATEMENT, PAGE_MAX_ROWS, REASON_MAX_CHARS } from './limits.ts';
import type { Models } from './models.ts';
import { ORDER_COLUMNS, type OrderRow, orderOf } from './rows.ts';
import { type StockWord, type StoreHoldsResult, storeHolds } from './store-holds.ts';

/**
 * `voided`: the order is void, now or before. `ended`: it was cancelled or has expired; it holds nothing any more.
 * `too-late`: it was paid. `other-generation`: the event was rebuilt or is being rebuilt, and the rebuild has the row.
 */
export type VoidOutcome = 'voided' | 'ended' | 'too-late' | 'other-generation';

export interface Orders {
  /** See ledger/store-holds.ts. 1 to ORDER_CHUNK_MAX_ROWS holds, all of this event; `word` answers an `ask-stock`. */
  storeHolds(eventId: string, holds: readonly HoldMessage[], word?: StockWord): Promise<StoreHoldsResult>;
  /** Voids an order that Redis refused, and takes it out of the sold units, in the event's present generation only. */
  void(o: { eventId: string; generation: number; id: string; reason: string }): Promise<VoidOutcome>;
  /** Ends an unpaid order and records the return of its units. `ended: false` when another transition was faster. */
  cancel(o: {
    id: string;
    reason: string;
    to: 'CANCELLED' | 'EXPIRED';
  }): Promise<{ ended: boolean; order: OrderRow } | undefined>;
  get(id: string): Promise<OrderRow | undefined>;
  /** Orders of the event by `seq`, which is the order of their commits: a page never misses an earlier row. */
  page(eventId: string, afterSeq: number, limit: number): Promise<OrderRow[]>;
  /** Orders and their units by state; states that no order is in are left out. Reads all orders of the event. */
  sumByState(eventId: string): Promise<{ state: OrderState; orders: number; units: number }[]>;
  countByState(eventId: string): Promise<Partial<Record<OrderState, number>>>;
}

export function createOrders({
  database,
  storing,
  models,
}: {
  database: Database;
  storing: Database;
  models: Models;
}): Orders {
  return {
    storeHolds: (eventId, holds, word) => storeHolds(storing, eventId, holds, word),

    void: ({ eventId, generation, id, reason }) =>
      database.transaction('voiding an order', async (session) => {
        const event = await lockEvent(session, eventId);
        const present = event?.state === 'warmed' || event?.state === 'warming';
        if (!present || event.generation !== generation) return 'other-generation';
        const outcome = await voidLocked(session, eventId, [id], reason);
        return outcome.get(id) ?? 'ended';
      }),

    cancel: (o) => database.transaction('ending an order', (session) => cancel(session, o)),

    async get(id) {
      const [row] = await database.rows('reading an order', `SELECT ${ORDER_COLUMNS} FROM orders WHERE id = ?`, [id]);
      return row === undefined ? undefined : orderOf(row);
    },

    page: (eventId, afterSeq, limit) =>
      readPage((sql, values) => database.rows('reading a page of orders', sql, values), eventId, afterSeq, limit),

    async sumByState(eventId) {
      const sql = 'SELECT state, COUNT(*) AS orders, SUM(units) AS units FROM orders WHERE event_id = ? GROUP BY state';
      const rows = await database.rows('summing orders up', sql, [eventId]);
      return rows.map((row) => ({
        state: row['state'] as OrderState,
        orders: Number(row['orders']),
        units: Number(row['units']),
      }));
    },

    countByState: (eventId) =>
      database.read('counting orders', async () => {
        const counts = await models.orders.findAll({
          attributes: ['state', [fn('COUNT', col('seq')), 'orders']],
          where: { event_id: eventId },
          group: ['state'],
          raw: true,
        });
        return Object.fromEntries(
          counts.map((row) => {
            const { state, orders } = { ...row } as unknown as { state: OrderState; orders: number };
            return [state, orders];
          }),
        );
      }),
  };
}

/** A page through any reader: the pool's, or the transaction that holds the event's lock. */
export async function readPage(
  read: Session['rows'],
  eventId: string,
  afterSeq: number,
  limit: number,
): Promise<OrderRow[]> {
  assert(limit > 0 && limit <= PAGE_MAX_ROWS, 'a page is bounded');
  const sql = `SELECT ${ORDER_COLUMNS} FROM orders WHERE event_id = ? AND seq > ? ORDER BY seq LIMIT ?`;
  return (await read(sql, [eventId, afterSeq, limit])).map(orderOf);
}

/**
 * Voids unpaid orders of an event whose row this transaction has locked, and takes their units out of the sold ones.
 * The answer tells what each id is then; an id that is no order of this event has none.
 */
export async function voidLocked(
  session: Session,
  eventId: string,
  ids: readonly string[],
  reason: string,
): Promise<Map<string, Exclude<VoidOutcome, 'other-generation'>>> {
  const outcomes = new Map<string, Exclude<VoidOutcome, 'other-generation'>>();
  for (let at = 0; at < ids.length; at += IDS_MAX_PER_STATEMENT) {
    const some = ids.slice(at, at + IDS_MAX_PER_STATEMENT);
    // Left to itself, the server may read, and lock, all orders of the event.
    const sql =
      'SELECT id, state, units FROM orders FORCE INDEX (orders_id) WHERE event_id = ? AND id IN (?) FOR UPDATE';
    const rows = await session.rows(sql, [eventId, some]);
    const unpaid: string[] = [];
    let units = 0;
    for (const row of rows) {
      const id = row['id'] as string;
      outcomes.set(id, outcomeOf(row['state'] as OrderState));
      if (row['state'] !== 'PENDING_PAYMENT') continue;
      unpaid.push(id);
      units += row['units'] as number;
    }
    if (unpaid.length === 0) continue;
    await session.write(
      `UPDATE orders SET state = 'VOIDED', reason = ?, ended_at = CURRENT_TIMESTAMP(3) WHERE id IN (?)`,
      [reason.slice(0, REASON_MAX_CHARS), unpaid],
    );
    await lowerSold(session, eventId, units);
  }
  return outcomes;
}

/** A counter that somebody set too low stops at zero: the order ends all the same, and the audit tells of the counter. */
async function lowerSold(session: Session, eventId: string, units: number): Promise<void> {
  const sql = 'UPDATE events SET sold_units = IF(sold_units < ?, 0, sold_units - ?) WHERE event_id = ?';
  await session.write(sql, [units, units, eventId]);
}

function outcomeOf(state: OrderState): Exclude<VoidOutcome, 'other-generation'> {
  if (state === 'PENDING_PAYMENT' || state === 'VOIDED') return 'voided';
  return state === 'CANCELLED' || state === 'EXPIRED' ? 'ended' : 'too-late';
}

async function cancel(
  session: Session,
  { id, reason, to }: { id: string; reason: string; to: 'CANCELLED' | 'EXPIRED' },
): Promise<{ ended: boolean; order: OrderRow } | undefined> {
  const [found] = await session.rows('SELECT event_id FROM orders WHERE id = ?', [id]);
  if (found === undefined) return undefined;
  // The event's lock comes first here too, or two transactions could wait for each other.
  await lockEvent(session, found['event_id'] as string);
  const ended = await session.write(
    `UPDATE orders SET state = ?, reason = ?, ended_at = CURRENT_TIMESTAMP(3) WHERE id = ? AND state = 'PENDING_PAYMENT'`,
    [to, reason.slice(0, REASON_MAX_CHARS), id],
  );
  const [row] = await session.rows(`SELECT ${ORDER_COLUMNS} FROM orders WHERE id = ?`, [id]);
  assert(row !== undefined, 'an order is never deleted');
  const order = orderOf(row);
  if (ended === 0) return { ended: false, order };
  await lowerSold(session, order.eventId, order.units);
  await session.write('INSERT INTO returns (order_id, event_id, bucket, buyer, units) VALUES (?)', [
    [order.id, order.eventId, order.bucket, order.buyer, order.units],
  ]);
  return { ended: true, order };
}
