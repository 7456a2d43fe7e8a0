import assert from 'node:assert/strict';
import { ORDER_CHUNK_MAX_ROWS } from '../services/domain/limits.ts';

/** Connections that one process keeps to the database, unless it says otherwise. */
export const POOL_MAX_CONNECTIONS = 8;
/** Those that store holds, beside them. */
export const STORING_MAX_CONNECTIONS = 4;
export const POOL_IDLE_MS = 60_000;
/** How long a caller waits for a free connection of the pool. */
export const POOL_ACQUIRE_TIMEOUT_MS = 15_000;
export const CONNECT_TIMEOUT_MS = 5_000;
/** After this long without traffic the system asks whether the other end is still there. */
export const KEEP_ALIVE_DELAY_MS = 10_000;

/** How long a statement waits for a row's lock before the whole transaction is tried again. */
export const LOCK_WAIT_TIMEOUT_SECONDS = 10;
/** How long a statement may be silent before its connection is given up. Its outcome is then unknown. */
export const STATEMENT_TIMEOUT_MS = 20_000;
/** Migrations may rebuild a table; the one who waits for another's migration waits as long. */
export const MIGRATION_LOCK_WAIT_SECONDS = 120;

/** A transaction that lost a deadlock, a lock wait or its connection is begun anew at most this often. */
export const TRANSACTION_MAX_ATTEMPTS = 6;
export const TRANSACTION_RETRY_BASE_MS = 25;
export const TRANSACTION_RETRY_MAX_MS = 1_000;

/** Rows of one page of orders. */
export const PAGE_MAX_ROWS = 5_000;
/** Ids that one statement names. */
export const IDS_MAX_PER_STATEMENT = 1_000;
/** A settlement report, as JSON. */
export const SETTLEMENT_REPORT_MAX_BYTES = 1_000_000;
/** What the continuous audit keeps of an event, as JSON. */
export const AUDIT_STATE_MAX_BYTES = 1_000_000;
/** Why an order ended or was voided. */
export const REASON_MAX_CHARS = 64;

assert(
  LOCK_WAIT_TIMEOUT_SECONDS * 1_000 < STATEMENT_TIMEOUT_MS,
  'a statement that waits for a lock must hear of the lock wait before its connection is given up',
);
assert(ORDER_CHUNK_MAX_ROWS <= IDS_MAX_PER_STATEMENT, 'the ids of a chunk must fit one statement');
