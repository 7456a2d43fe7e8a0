import assert from 'node:assert/strict';

/** Bounds of the Kubernetes platform. */

/** How long one call of the API may take, its answer included; a watch has its own watchdog. */
export const REQUEST_TIMEOUT_MS = 10_000;
export const CONNECT_TIMEOUT_MS = 2_000;
/** Calls at the same time, watches excepted; more wait for their turn. */
export const CONNECTIONS_MAX = 16;
/** An idle connection is closed before a balancer on the way might drop it without a word. */
export const KEEP_ALIVE_MS = 30_000;
/** Credentials are read again this often: mounted tokens are replaced while we run. */
export const CREDENTIALS_REREAD_MS = 10_000;
/** The server asked for patience (429): how often, and how long at most, one call waits before it fails. */
export const THROTTLED_RETRIES_MAX = 2;
export const THROTTLED_WAIT_MAX_MS = 2_000;
/** No object is larger than etcd's 1.5 MiB; a line of a watch beyond this is not one of ours. */
export const WATCH_LINE_MAX_CHARS = 8 * 1024 * 1024;
/** So much is shown of an answer that is no `Status`: that of a proxy on the way. */
export const ERROR_TEXT_MAX_CHARS = 200;
/** Objects in one page of a list. */
export const LIST_PAGE_OBJECTS = 500;
/** Pages of one list: far beyond what the platform is for, and an end for a server that never ends. */
export const LIST_PAGES_MAX = 200;

/** The server ends a watch after about this long, so that no connection grows old; then it goes on from where it was. */
export const WATCH_TIMEOUT_SECONDS = 300;
/**
 * A watch that said nothing for this long, not even the bookmark that the server sends every minute, is taken for dead
 * and opened again.
 */
export const WATCH_STALE_MS = 90_000;
/** A watch that ends sooner than this counts as a failure: it is not opened again at once. */
export const WATCH_SHORT_MS = 1_000;
/** All objects are told again this often, so that what was changed by hand is put right. */
export const RESYNC_MS = 30_000;
/** First and longest wait before a broken watch is tried again. Short: the server is asked by a handful of watches. */
export const RECONNECT_FIRST_MS = 50;
export const RECONNECT_MAX_MS = 800;
/** The same for what only a person repairs: a kind that is not installed, a verb that is not granted. */
export const UNAVAILABLE_RETRY_MAX_MS = 3_000;

/** Writes of one object that others changed meanwhile are tried so often. */
export const CONFLICT_RETRIES_MAX = 20;
/** First and longest wait before the next try, so that a storm of writers passes. */
export const CONFLICT_WAIT_FIRST_MS = 5;
export const CONFLICT_WAIT_MAX_MS = 500;

/** The same notice is not written again within this time; what was left out is counted. */
export const NOTICE_REPEAT_MS = 60_000;
/** Notices of one event and reason: so many at once, and then one each NOTICE_REFILL_MS. */
export const NOTICE_BURST_MAX = 10;
export const NOTICE_REFILL_MS = 10_000;
/** Kubernetes takes no longer ones. */
export const NOTICE_MESSAGE_MAX_CHARS = 1_000;
/** What is remembered of notices, so that a storm cannot fill the memory. */
export const NOTICES_KNOWN_MAX = 2_000;

/** Without a renewal for this long the lease is taken over. */
export const KUBERNETES_LEASE_DURATION_MS = 15_000;
/** A leader that could not renew for this long stops its work. */
export const KUBERNETES_LEASE_GIVE_UP_MS = 10_000;
export const KUBERNETES_LEASE_RENEW_MS = 2_000;
/** One call for the lease: a lost answer must not cost the leadership. */
export const LEASE_CALL_TIMEOUT_MS = 3_000;

assert(RECONNECT_FIRST_MS < RECONNECT_MAX_MS && RECONNECT_MAX_MS <= 1_000, 'a server that is back is used within 2 s');
assert(
  KUBERNETES_LEASE_RENEW_MS + LEASE_CALL_TIMEOUT_MS < KUBERNETES_LEASE_GIVE_UP_MS &&
    KUBERNETES_LEASE_GIVE_UP_MS < KUBERNETES_LEASE_DURATION_MS,
  'a leader must survive one lost call, and stop before it is replaced',
);
assert(WATCH_STALE_MS > 60_000, 'the server sends a bookmark each minute');
