import assert from 'node:assert/strict';
import {
  ATTEMPT_WAIT_MAX_MS,
  HINT_MAX_AGE_MS,
  RESERVE_ANSWER_MS,
  RESERVE_BATCH_MAX_ATTEMPTS,
} from '../domain/limits.ts';

export const BODY_MAX_BYTES = 1_024;

/** Attempts of a process that wait for their answer (some 60 ms of Redis's work); the next one is told to come back. */
export const ATTEMPTS_IN_FLIGHT_MAX = 2_048;
/** Look-ups of reservations that wait for Redis, apart from the attempts: whoever reads keeps nobody from buying. */
export const LOOKUPS_IN_FLIGHT_MAX = 512;
/** Calls of `reserve` on their way for one bucket: while Redis works on one, the next is being gathered and sent. */
export const BATCHES_IN_FLIGHT_MAX = 2;

/** How often a hint that is being used reads the stock again. Shorter than its life, so that it has no gaps. */
export const HINT_REFRESH_MS = 800;
/** Before the end of the window nobody is refused by a hint: a unit that comes back now is sold now or never. */
export const HINT_QUIET_BEFORE_END_MS = 3_000;

/** How old the state of an event may be when it is shown. */
export const EVENT_STATE_MAX_AGE_MS = 1_000;

/** Retry-After of the answers that say "come back". */
export const OVERLOADED_RETRY_AFTER_SECONDS = 1;
export const NOT_READY_RETRY_AFTER_SECONDS = 1;
export const PAUSED_RETRY_AFTER_SECONDS = 5;

/** While an error repeats, it is logged this often. */
export const ERROR_LOG_INTERVAL_MS = 1_000;

/** Events whose answers are counted apart; those of all others are counted together. */
export const EVENTS_COUNTED_MAX = 8;
/** From when on an event is shown, before anybody asked for it. */
export const COUNTED_BEFORE_OPENING_MS = 3_600_000;

assert(ATTEMPTS_IN_FLIGHT_MAX >= BATCHES_IN_FLIGHT_MAX * RESERVE_BATCH_MAX_ATTEMPTS, 'full batches must fit in flight');
assert(HINT_REFRESH_MS < HINT_MAX_AGE_MS, 'a hint must be read again before it is too old');
assert(HINT_QUIET_BEFORE_END_MS > HINT_MAX_AGE_MS, 'no hint of before may reach into the quiet time');
assert(ATTEMPT_WAIT_MAX_MS <= RESERVE_ANSWER_MS, 'waiting must not take longer than the answer may');
