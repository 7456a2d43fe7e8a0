import assert from 'node:assert/strict';
import { RESERVE_BATCH_MAX_ATTEMPTS, TRANSITION_BATCH_MAX_RESERVATIONS } from '../services/domain/limits.ts';

/** How long a new connection to Redis may take. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** A connection on which nothing comes back for this long, although an answer is due, is dead. */
export const SILENCE_MAX_MS = 5_000;
/** Pause before a new connection is tried: doubled at each failure, and spread by half. */
export const RECONNECT_MIN_MS = 50;
export const RECONNECT_MAX_MS = 1_000;

/** Runs of Redis whose script hashes are kept: one a bucket, and those before a recovery. */
export const CACHED_RUNS_MAX = 2_048;

/** Rows that one call of `rebuildLoad` brings, and reservations that one `lookup` reads. */
export const REBUILD_LOAD_MAX_ROWS = 500;
export const LOOKUP_MAX_RESERVATIONS = 500;
/** Entries that one read, claim, acknowledgement or range of a journal moves. */
export const JOURNAL_READ_MAX_ENTRIES = 1_000;
/** What one step of a scan asks Redis for. Redis works on nothing else meanwhile. */
export const SCAN_STEP_RESERVATIONS = 500;

/** Values that Lua can unpack into one command: its stack holds 8,000, of which we use half. */
const UNPACK_MAX_VALUES = 4_000;
assert(2 * RESERVE_BATCH_MAX_ATTEMPTS <= UNPACK_MAX_VALUES, 'reserve writes two values for each attempt');
assert(2 * TRANSITION_BATCH_MAX_RESERVATIONS <= UNPACK_MAX_VALUES, 'commit writes two values for each reservation');
assert(2 * REBUILD_LOAD_MAX_ROWS + 2 <= UNPACK_MAX_VALUES, 'rebuildLoad writes two values for each row');
assert(LOOKUP_MAX_RESERVATIONS <= UNPACK_MAX_VALUES, 'lookup reads one value for each id');
