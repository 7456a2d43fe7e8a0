import assert from 'node:assert/strict';
import { RESERVE_ANSWER_MS } from '../../services/domain/limits.ts';

/** Bounds of the load generator. */

export const LOAD_BUYERS_MAX = 1_000_000;
export const LOAD_RATE_MAX_PER_SECOND = 100_000;
export const LOAD_WORKERS_MAX = 16;
export const SEED_MAX = 2 ** 31 - 1;
export const LOAD_CONNECTIONS_MAX = 4_096;
export const LOAD_CONNECTIONS_DEFAULT = 128;
/** Requests that a buyer sends after his first one. */
export const LOAD_RETRIES_MAX = 20;
export const LOAD_RETRIES_DEFAULT = 6;

/** How long a buyer waits for an answer before he calls it missing. A pod says "unknown" well before that. */
export const ANSWER_TIMEOUT_MS = 5_000;
export const CONNECT_TIMEOUT_MS = 2_000;
/** How long an idle connection is kept; the opening second may be some way off when it is warmed up. */
export const CONNECTION_IDLE_MS = 60_000;
/** No answer of the platform is longer; one that is counts as missing. */
export const ANSWER_BODY_MAX_BYTES = 64 * 1024;

/** Wait before a retry that nobody gave a Retry-After for: doubled each time, from the first to the last of these. */
export const RETRY_WAIT_FIRST_MS = 100;
export const RETRY_WAIT_LAST_MS = 2_000;
/** The longest Retry-After that a buyer believes. */
export const RETRY_AFTER_MAX_MS = 10_000;
/** Retries are spread by up to this share of their wait, or a refused crowd would come back as one. */
export const RETRY_JITTER_SHARE = 0.5;

/** How long the last buyers may take after the last arrival, before they are given up. */
export const DRAIN_MAX_MS = 60_000;

/** The scheduler looks at its list this often; requests start at most so much later than intended. */
export const TICK_MS = 1;
/** The generator says that it fell behind when one arrival in a hundred started later than this … */
export const LAG_P99_MAX_MS = 50;
/** … or when its own event loop was busy for more than this share of the time. */
export const UTILIZATION_MAX = 0.95;

export const PROGRESS_EVERY_MS = 100;
/** How long a worker that was told to stop may take to hand over its numbers. */
export const WORKER_STOP_MS = 3_000;
/** How long the workers may take to start and to open their connections. */
export const WARM_UP_MAX_MS = 20_000;

/** The answers over time are told in at most so many stretches, each of the first of these lengths that does. */
export const PULSE_BEATS_MAX = 120;
export const PULSE_STEPS_MS = [100, 250, 500, 1_000, 5_000, 15_000, 60_000, 300_000] as const;

/** Latencies are kept from a microsecond to twenty minutes with three significant digits. */
export const LATENCY_MAX_MICROS = 20 * 60 * 1_000_000;
export const LATENCY_DIGITS = 3;

assert(ANSWER_TIMEOUT_MS > RESERVE_ANSWER_MS, 'a buyer must not give up before the pod could tell him "unknown"');
assert(DRAIN_MAX_MS * 1_000 < LATENCY_MAX_MICROS, 'the longest wait must fit into the histogram');
