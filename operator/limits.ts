import assert from 'node:assert/strict';

/** Bounds of the reconciler's machinery. */

/** Events that are worked on at the same time. */
export const WORKERS_MAX = 8;
/** First and longest wait after a failed look at an event; it doubles with each failure in a row. */
export const RETRY_FIRST_MS = 200;
export const RETRY_MAX_MS = 30_000;
/** A status is written at most so often, unless the phase changed. */
export const STATUS_INTERVAL_MS = 5_000;

/** Without a renewal for this long a lease is taken over. */
export const LEASE_DURATION_MS = 3_000;
export const LEASE_RENEW_MS = 750;
/** A leader that could not renew for this long stops its work, before anybody else may begin. */
export const LEASE_GIVE_UP_MS = 2_000;

/** How long Redis may take to answer the operator. */
export const REDIS_TIMEOUT_MS = 5_000;
export const TOPIC_RETRY_MS = 1_000;

assert(
  LEASE_RENEW_MS < LEASE_GIVE_UP_MS && LEASE_GIVE_UP_MS < LEASE_DURATION_MS,
  'a leader must stop before it is replaced',
);
