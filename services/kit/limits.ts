import assert from 'node:assert/strict';

/** Bounds that every process keeps, whatever its role. */

/** From the signal to the end: a process that cannot finish its work in this time exits with 1. */
export const STOP_DEADLINE_MS = 15_000;
/** How long a stopping server still takes requests, so that balancers notice that it is not ready any more. */
export const STOP_ANNOUNCE_MS = 1_000;

/** How long a client may take to send its headers, and its whole request. */
export const HEADERS_TIMEOUT_MS = 5_000;
export const REQUEST_TIMEOUT_MS = 10_000;
/** How long an idle connection stays. Longer than balancers keep theirs, so that it is not we who close first. */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** The bounds that a route may ask for when it names none. */
export const DEFAULT_BODY_LIMIT_BYTES = 1_024;

/** How often the file of the token keys is looked at for a change. */
export const TOKEN_KEYS_POLL_MS = 1_000;
/** A key shorter than this is not a key. */
export const TOKEN_KEY_MIN_BYTES = 32;
/** Keys in use at once: the one that signs, and those that still verify. */
export const TOKEN_KEYS_MAX = 8;

assert(STOP_ANNOUNCE_MS < STOP_DEADLINE_MS, 'a process must have time left to finish after it was announced');
assert(HEADERS_TIMEOUT_MS <= REQUEST_TIMEOUT_MS, 'headers are a part of the request');
