import assert from 'node:assert/strict';
import type { OrderFact } from '../services/domain/accounting.ts';
import { LIVE_ORDER_STATES, type OrderState } from '../services/domain/order.ts';
import { type AuditCursor, type AuditCursors, createAuditCursors, readCursor } from './audit-cursors.ts';
import type { Database, Session, SqlRow } from './database.ts';
import { IDS_MAX_PER_STATEMENT, PAGE_MAX_ROWS } from './limits.ts';
import { EVENT_COLUMNS, eventOf, type LedgerEvent } from './rows.ts';

export interface AuditedOrder extends OrderFact {
  /** Within one event in the order in which the transactions committed. */
  seq: number;
}

/** What the ledger says of one event, all of it at one instant. By order id. */
export interface LedgerBooks {
  event: LedgerEvent;
  /** How far the continuous audit had come. */
  cursor: AuditCursor | undefined;
  orders: Map<string, AuditedOrder>;
  /** 0: there is no order. */
  lastSeq: number;
  /** Orders whose units came back, of which Redis has yet to be told. */
  returning: Set<string>;
}

/** A row that has to be looked at, and where to go on behind it. */
export interface RowPlace {
  id: string;
  bucket: number;
  seq: number;
  changedMs: number;
}

/** What can be asked of an event's orders at little cost, however many there are. */
export interface LedgerNow {
  /** Of the database. */
  nowMs: number;
  /** 0: there is no order. */
  lastSeq: number;
  /** Rows that were ever deleted on this server, of any table: when it stands still, nobody deleted an order. */
  deletions: string;
  /** As the event's own counter has it. */
  soldUnits: number;
  /** Units that came back, and of which Redis has yet to be told. */
  returningUnits: number;
}

export interface LedgerAudit {
  cursors: AuditCursors;
  /** All orders of the event; some hundred bytes of memory each. */
  books(eventId: string): Promise<LedgerBooks | undefined>;
  /** The present word on some orders of the event; at most IDS_MAX_PER_STATEMENT. */
  look(eventId: string, ids: readonly string[]): Promise<Pick<LedgerBooks, 'orders' | 'returning'>>;
  now(eventId: string): Promise<LedgerNow>;
  /** Rows after one `seq` up to another, in that order; at most PAGE_MAX_ROWS. */
  rowsBetween(eventId: string, afterSeq: number, upToSeq: number): Promise<RowPlace[]>;
  /** Rows that were changed after they were stored, by whomever, in the order of the change; at most PAGE_MAX_ROWS. */
  changedRows(eventId: string, after: Pick<RowPlace, 'changedMs' | 'seq'>, upToMs: number): Promise<RowPlace[]>;
  /** How many rows there are up to this `seq`. It reads as many: not for every round. */
  countRows(eventId: string, upToSeq: number): Promise<number>;
  /** The buyers of these orders whose live units, up to this `seq`, are above the limit, each by his first live order. */
  overLimit(
    eventId: string,
    o: { unitsPerBuyer: number; upToSeq: number; ids: readonly string[] },
  ): Promise<{ id: string; bucket: number }[]>;
}

const RETURNING = 'SELECT order_id FROM returns WHERE event_id = ? AND done = 0';
const CHANGED_MS = 'CAST(UNIX_TIMESTAMP(changed_at) * 1000 AS UNSIGNED) AS changed_ms';

const FROM_SECONDS = 'FROM_UNIXTIME(CAST(? AS DECIMAL(16, 3)))';
const ASCII = /^[\x20-\x7e]*$/;
/** Never an order's id. */
const NO_ORDER = '';

export function createAudit(database: Database): LedgerAudit {
  return {
    cursors: createAuditCursors(database),

    books: (eventId) => database.snapshot('reading the books of an event', (session) => readBooks(session, eventId)),

    look: (eventId, ids) =>
      database.snapshot('looking at orders again', async (session) => {
        const named = comparable(ids);
        const sql =
          'SELECT seq, id, state, buyer, units FROM orders FORCE INDEX (orders_id) WHERE event_id = ? AND id IN (?)';
        const rows = await session.rows(sql, [eventId, named]);
        const returns = await session.rows(`${RETURNING} AND order_id IN (?)`, [eventId, named]);
        return { orders: new Map(rows.map(factOf)), returning: orderIds(returns) };
      }),

    async now(eventId) {
      const [status] = await database.rows('counting deletions', `SHOW GLOBAL STATUS LIKE 'Handler_delete'`);
      const [row] = await database.rows(
        'reading the last order',
        `SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) AS now_ms,
           (SELECT MAX(seq) FROM orders WHERE event_id = ?) AS last_seq,
           (SELECT sold_units FROM events WHERE event_id = ?) AS sold_units,
           (SELECT SUM(units) FROM returns WHERE event_id = ? AND done = 0) AS returning_units`,
        [eventId, eventId, eventId],
      );
      return {
        nowMs: row?.['now_ms'] as number,
        lastSeq: (row?.['last_seq'] as number | null) ?? 0,
        deletions: String(status?.['Value']),
        soldUnits: (row?.['sold_units'] as number | null) ?? 0,
        returningUnits: Number(row?.['returning_units'] ?? 0),
      };
    },

    async rowsBetween(eventId, afterSeq, upToSeq) {
      const sql = `SELECT id, bucket, seq, ${CHANGED_MS} FROM orders
        WHERE event_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`;
      const rows = await database.rows('reading new orders', sql, [eventId, afterSeq, upToSeq, PAGE_MAX_ROWS]);
      return rows.map(placeOf);
    },

    async changedRows(eventId, after, upToMs) {
      const [from, to] = [seconds(after.changedMs), seconds(upToMs)];
      // A row that was only stored has both times from one statement.
      const sql = `SELECT id, bucket, seq, ${CHANGED_MS} FROM orders FORCE INDEX (orders_changed)
        WHERE event_id = ? AND changed_at >= ${FROM_SECONDS} AND changed_at <= ${FROM_SECONDS}
          AND (changed_at > ${FROM_SECONDS} OR seq > ?) AND changed_at <> created_at
        ORDER BY changed_at, seq LIMIT ?`;
      const values = [eventId, from, to, from, after.seq, PAGE_MAX_ROWS];
      return (await database.rows('reading changed orders', sql, values)).map(placeOf);
    },

    async countRows(eventId, upToSeq) {
      const sql = 'SELECT COUNT(*) AS found FROM orders WHERE event_id = ? AND seq <= ?';
      const [row] = await database.rows('counting orders', sql, [eventId, upToSeq]);
      return row?.['found'] as number;
    },

    async overLimit(eventId, { unitsPerBuyer, upToSeq, ids }) {
      const what = 'asking for buyers over their limit';
      const named = 'SELECT DISTINCT buyer FROM orders FORCE INDEX (orders_id) WHERE event_id = ? AND id IN (?)';
      const buyers = (await database.rows(what, named, [eventId, comparable(ids)])).map(
        (row) => row['buyer'] as string,
      );
      if (buyers.length === 0) return [];
      // Left to itself, the server reads all orders of the event.
      const summed = `SELECT MIN(seq) AS seq FROM orders FORCE INDEX (orders_buyer)
        WHERE event_id = ? AND buyer IN (?) AND state IN (?) AND seq <= ? GROUP BY buyer HAVING SUM(units) > ?`;
      const values = [eventId, buyers, [...LIVE_ORDER_STATES], upToSeq, unitsPerBuyer];
      const over = (await database.rows(what, summed, values)).map((row) => row['seq'] as number);
      if (over.length === 0) return [];
      const rows = await database.rows(what, 'SELECT id, bucket FROM orders WHERE seq IN (?)', [over]);
      return rows.map((row) => ({ id: row['id'] as string, bucket: row['bucket'] as number }));
    },
  };
}

async function readBooks(session: Session, eventId: string): Promise<LedgerBooks | undefined> {
  const [row] = await session.rows(`SELECT ${EVENT_COLUMNS} FROM events WHERE event_id = ?`, [eventId]);
  if (row === undefined) return undefined;
  const cursor = await readCursor(session, eventId);
  const orders = new Map<string, AuditedOrder>();
  const sql = 'SELECT seq, id, state, buyer, units FROM orders WHERE event_id = ? AND seq > ? ORDER BY seq LIMIT ?';
  let lastSeq = 0;
  for (;;) {
    const page = await session.rows(sql, [eventId, lastSeq, PAGE_MAX_ROWS]);
    for (const [id, fact] of page.map(factOf)) orders.set(id, fact);
    lastSeq = (page.at(-1)?.['seq'] as number | undefined) ?? lastSeq;
    if (page.length < PAGE_MAX_ROWS) break;
  }
  const returning = orderIds(await session.rows(RETURNING, [eventId]));
  return { event: eventOf(row), cursor, orders, lastSeq, returning };
}

/** For `IN (?)`. Ids may come from what somebody wrote by hand, and the server refuses to compare ASCII with more. */
function comparable(ids: readonly string[]): string[] {
  assert(ids.length > 0 && ids.length <= IDS_MAX_PER_STATEMENT, 'one statement names a bounded number of ids');
  return ids.map((id) => (ASCII.test(id) ? id : NO_ORDER));
}

function factOf(row: SqlRow): [string, AuditedOrder] {
  const { seq, id, state, buyer, units } = row as unknown as AuditedOrder & { id: string; state: OrderState };
  return [id, { seq, state, buyer, units }];
}

function placeOf(row: SqlRow): RowPlace {
  const { id, bucket, seq, changed_ms: changedMs } = row as Record<string, number | string>;
  return { id: id as string, bucket: bucket as number, seq: seq as number, changedMs: Number(changedMs) };
}

function orderIds(rows: readonly SqlRow[]): Set<string> {
  return new Set(rows.map((row) => row['order_id'] as string));
}

/** Milliseconds as the decimal seconds that the database reads, without the rounding of a float. */
function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
