import assert from 'node:assert/strict';
import { ATTEMPT_WAIT_MAX_MS, RESERVE_ANSWER_MS } from '../domain/limits.ts';
import { KEEP_ALIVE_TIMEOUT_MS } from '../kit/limits.ts';

/* The bounds of the edge's nginx. Times are whole milliseconds, as nginx's `ms` has them. */

export const BODY_MAX_BYTES = 1_024;
export const CONNECTIONS_PER_WORKER_MAX = 16_384;

export const CLIENT_HEADER_TIMEOUT_MS = 5_000;
export const CLIENT_BODY_TIMEOUT_MS = 5_000;
export const CLIENT_IDLE_TIMEOUT_MS = 60_000;
export const CLIENT_SEND_TIMEOUT_MS = 10_000;

export const UPSTREAM_CONNECT_TIMEOUT_MS = 500;
/** A pod answers, if only "unknown", long before this. */
export const UPSTREAM_READ_TIMEOUT_MS = 5_000;
/** Peers that one request is brought to, and how long it is still brought to another one. */
export const UPSTREAM_TRIES_MAX = 3;
export const UPSTREAM_TRIES_TIMEOUT_MS = 3_000;
/** Idle connections to pods that one worker keeps, and for how long. */
export const UPSTREAM_IDLE_CONNECTIONS_MAX = 256;
export const UPSTREAM_IDLE_TIMEOUT_MS = 60_000;

/** How often a worker looks whether the file of routes has changed. */
export const ROUTES_POLL_MS = 250;
export const ROUTES_FILE_MAX_BYTES = 1_048_576;

/** Retry-After of what the edge answers by itself. */
export const UNAVAILABLE_RETRY_AFTER_SECONDS = 2;

assert(
  UPSTREAM_READ_TIMEOUT_MS > RESERVE_ANSWER_MS + ATTEMPT_WAIT_MAX_MS,
  'the edge must not give up before a pod does',
);
assert(
  UPSTREAM_IDLE_TIMEOUT_MS < KEEP_ALIVE_TIMEOUT_MS,
  'an idle connection must be closed by the edge, not by the pod',
);
