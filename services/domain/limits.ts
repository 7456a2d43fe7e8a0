import assert from 'node:assert/strict';

/**
 * Bounds that two or more processes share. A bound that one process keeps to itself lives in its own folder's
 * `limits.ts`. The relations between them are asserted below: a process with contradictory bounds does not start.
 */

/** DNS label of Kubernetes is 63; ours is shorter so that derived object names (pool, service, config) still fit. */
export const EVENT_NAME_MAX_CHARS = 40;
export const NAMESPACE_MAX_CHARS = 63;
export const BUYER_MAX_CHARS = 64;

/** The most units that one event may sell, and one attempt may ask for. Both are exact in Lua's doubles. */
export const TOTAL_UNITS_MAX = 10_000_000;
export const UNITS_PER_BUYER_MAX = 1_000;
/** Buckets of one event; message, keys and routing know no more. */
export const BUCKETS_MAX = 1_024;
/** Preheats and rebuilds of one event; what the ledger's column holds. */
export const GENERATION_MAX = 2 ** 31 - 1;

/** Attempts that one call of `reserve` decides, and reservations that one call of `commit` or `release` moves. */
export const RESERVE_BATCH_MAX_ATTEMPTS = 128;
export const TRANSITION_BATCH_MAX_RESERVATIONS = 500;

/** How long a pod lets Redis decide an attempt. Past it the attempt is `late`, and can no longer take a unit. */
export const RESERVE_DEADLINE_MS = 1_000;
/** How long a pod waits for the answer, before it tells its buyer "unknown". */
export const RESERVE_ANSWER_MS = 1_200;
/** An attempt that waited in its pod for longer, before it could be sent, is refused instead. */
export const ATTEMPT_WAIT_MAX_MS = 1_000;
/** What a buyer is told to wait before he asks again after an unknown outcome. */
export const UNKNOWN_RETRY_AFTER_SECONDS = 2;

/** Clocks of token issuer and pod may differ by this much. Only Redis judges the window. */
export const TOKEN_CLOCK_TOLERANCE_MS = 5_000;
/** A token outlives its event by this much, so that an unknown outcome can always be settled with it. */
export const TOKEN_GRACE_AFTER_END_MS = 15 * 60_000;

/** Messages that one send brings to one partition. */
export const KAFKA_SEND_MAX_MESSAGES_PER_PARTITION = 1_000;
/** Rows of one ledger transaction. */
export const ORDER_CHUNK_MAX_ROWS = 1_000;

/** A hold that is still not committed this long after Kafka took it is sent again, at most so many times. */
export const HOLD_RESEND_AFTER_MS = 30_000;
export const HOLD_RESEND_MAX_TIMES = 5;

/** How old the answer "so many units are left" may be when a pod or the edge refuses by it. */
export const HINT_MAX_AGE_MS = 1_000;
/** How often pods and the relay read the registry. */
export const REGISTRY_REFRESH_MS = 1_000;

assert(RESERVE_ANSWER_MS > RESERVE_DEADLINE_MS, 'a pod must not give up before the deadline that it gave Redis');
// A pod knows Redis's time to half a round trip, and waits for no answer longer than this.
assert(
  UNKNOWN_RETRY_AFTER_SECONDS * 1_000 > RESERVE_DEADLINE_MS + RESERVE_ANSWER_MS / 2,
  'a buyer who asks again after an unknown outcome must come after the deadline, when the answer is definite',
);
assert(HINT_MAX_AGE_MS <= RESERVE_DEADLINE_MS, 'a hint must not outlive the attempt that taught it');
