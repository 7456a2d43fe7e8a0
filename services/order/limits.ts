import assert from 'node:assert/strict';
import { STORING_MAX_CONNECTIONS } from '../../ledger/limits.ts';
import { ORDER_CHUNK_MAX_ROWS, TRANSITION_BATCH_MAX_RESERVATIONS } from '../domain/limits.ts';

/** Messages that one call of the handler gets. All of them may be rows of one transaction. */
export const CHUNK_MAX_MESSAGES = ORDER_CHUNK_MAX_ROWS;
/** Partitions in hand at once: while one waits for Redis, another can write to the ledger. */
export const PARTITIONS_AT_ONCE = 3;
/** After this long without an answer the outcome of a call on Redis is unknown, and the chunk comes again. */
export const REDIS_TIMEOUT_MS = 4_000;
/** A reason in the header of a dead letter. */
export const DEAD_LETTER_REASON_MAX_CHARS = 300;

/** How often the ledger is asked for returns. A returned unit is on sale again within two seconds. */
export const RETURNS_SWEEP_INTERVAL_MS = 500;
export const RETURNS_SWEEP_MAX_ROWS = 500;
/** How long the sweep rests after a database or Redis that was away. */
export const RETURNS_RETRY_MS = 2_000;

/** Orders that are being read for their buyers; whoever asks for one more is told to come again. */
export const ORDER_READS_MAX_IN_FLIGHT = 256;
/** When to ask again for an order that is not there yet, or that could not be read now. */
export const ORDER_RETRY_AFTER_SECONDS = 1;

/** How often a process that waits for the database and its schema asks again. */
export const SCHEMA_POLL_MS = 1_000;

assert(PARTITIONS_AT_ONCE <= STORING_MAX_CONNECTIONS, 'no chunk in hand waits for a connection');
assert(RETURNS_SWEEP_MAX_ROWS <= TRANSITION_BATCH_MAX_RESERVATIONS, 'the returns of one look fit one call of release');
assert(RETURNS_SWEEP_INTERVAL_MS <= 1_000, 'a returned unit must be on sale again soon');
