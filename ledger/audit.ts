import assert from 'node:assert/strict';
import type { OrderFact } from '../services/domain/accounting.ts';
import type { OrderState } from '../services/domain/order.ts';
import type { Database, Session, SqlRow } from './database.ts';
import { IDS_MAX_PER_STATEMENT, PAGE_MAX_ROWS } from './limits.ts';
import { EVENT_COLUMNS, eventOf, type LedgerEvent } from './rows.ts';

/** What the ledger says of one event, all of it at one instant. By order id. */
export interface LedgerBooks {
  event: LedgerEvent;
  orders: Map<string, OrderFact>;
  /** Orders whose units came back, of which Redis has yet to be told. */
  returning: Set<string>;
}

export interface LedgerAudit {
  /** All orders of the event; some hundred bytes of memory each. */
  books(eventId: string): Promise<LedgerBooks | undefined>;
  /** The present word on some orders of the event; at most IDS_MAX_PER_STATEMENT. */
  look(eventId: string, ids: readonly string[]): Promise<Omit<LedgerBooks, 'event'>>;
}

const RETURNING = 'SELECT order_id FROM returns WHERE event_id = ? AND done = 0';

export function createAudit(database: Database): LedgerAudit {
  return {
    books: (eventId) => database.snapshot('reading the books of an event', (session) => readBooks(session, eventId)),
    look: (eventId, ids) =>
      database.snapshot('looking at orders again', async (session) => {
        assert(ids.length > 0 && ids.length <= IDS_MAX_PER_STATEMENT, 'one statement names a bounded number of ids');
        const sql = 'SELECT id, state, buyer, units FROM orders WHERE event_id = ? AND id IN (?)';
        const rows = await session.rows(sql, [eventId, [...ids]]);
        const returns = await session.rows(`${RETURNING} AND order_id IN (?)`, [eventId, [...ids]]);
        return { orders: new Map(rows.map(factOf)), returning: orderIds(returns) };
      }),
  };
}

async function readBooks(session: Session, eventId: string): Promise<LedgerBooks | undefined> {
  const [row] = await session.rows(`SELECT ${EVENT_COLUMNS} FROM events WHERE event_id = ?`, [eventId]);
  if (row === undefined) return undefined;
  const orders = new Map<string, OrderFact>();
  const sql = 'SELECT seq, id, state, buyer, units FROM orders WHERE event_id = ? AND seq > ? ORDER BY seq LIMIT ?';
  for (let after = 0; ; ) {
    const page = await session.rows(sql, [eventId, after, PAGE_MAX_ROWS]);
    for (const [id, fact] of page.map(factOf)) orders.set(id, fact);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_MAX_ROWS) break;
    after = last['seq'] as number;
  }
  return { event: eventOf(row), orders, returning: orderIds(await session.rows(RETURNING, [eventId])) };
}

function factOf(row: SqlRow): [string, OrderFact] {
  const { id, state, buyer, units } = row as { id: string; state: OrderState; buyer: string; units: number };
  return [id, { state, buyer, units }];
}

function orderIds(rows: readonly SqlRow[]): Set<string> {
  return new Set(rows.map((row) => row['order_id'] as string));
}
