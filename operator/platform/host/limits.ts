import assert from 'node:assert/strict';

/** Bounds of the host platform. */

/** How often manifests and object records are looked at, beside what the kernel tells of them. */
export const MANIFEST_POLL_MS = 1_000;
export const OBJECT_POLL_MS = 250;
/** Every so often all objects are told again, so that nothing is missed for good. */
export const OBJECT_RESYNC_MS = 30_000;
export const MANIFEST_FILES_MAX = 500;

/** How often the supervisor looks at its processes. */
export const SUPERVISOR_TICK_MS = 100;
/** Records that somebody else may have changed are read again this often. */
export const RECORD_REREAD_MS = 500;
/** How often a process that is not ready, or is, is asked whether it is. */
export const PROBE_UNREADY_INTERVAL_MS = 100;
export const PROBE_READY_INTERVAL_MS = 1_000;
export const PROBE_TIMEOUT_MS = 2_000;
/** Answers that a ready process may leave out before it is called unready. */
export const PROBE_MISSES_MAX = 2;

/** First and longest wait before a dead process is started again; it doubles with each death. */
export const RESTART_BACKOFF_FIRST_MS = 200;
export const RESTART_BACKOFF_MAX_MS = 10_000;
/** A process that lived this long is forgiven its earlier deaths. */
export const RESTART_FORGIVEN_AFTER_MS = 30_000;

/** A record without a pid is somebody's who is just starting it; after this long he is dead. */
export const START_CLAIM_MAX_MS = 3_000;
/** Between leaving the routes and SIGTERM: the edge re-reads its routes at least every 500 ms. */
export const ROUTES_SETTLE_MS = 600;
/** An adopted process without a full record gets this long to stop. */
export const STOP_OF_ADOPTED_MS = 10_000;
export const STOP_POLL_MS = 50;

/** Versions of a record that stay beside the newest one. */
export const RECORD_VERSIONS_KEPT = 8;
export const NOTICES_KEEP_MAX = 2_000;
export const NOTICE_REPEAT_MS = 60_000;
export const CONFLICT_RETRIES_MAX = 20;

/** Ports are taken below the kernel's ephemeral range, where no outgoing connection can take them meanwhile. */
export const PORT_FIRST = 20_000;
export const PORT_LAST = 32_000;
export const PORT_ATTEMPTS = 100;

assert(PROBE_UNREADY_INTERVAL_MS <= PROBE_READY_INTERVAL_MS, 'what is not ready is waited for');
assert(RESTART_BACKOFF_FIRST_MS <= RESTART_BACKOFF_MAX_MS, 'a back-off grows');
assert(ROUTES_SETTLE_MS > 500, 'a stopping pod must be out of the routes before it hears of its end');
