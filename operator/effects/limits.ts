import assert from 'node:assert/strict';

/** Bounds of the operator's effects. */

/** How long the drain of a recovery may take before it is given up, and the recovery begun anew. */
export const DRAIN_TIMEOUT_MS = 60_000;
/** One look at it. Redis forgets all sales at once: none may keep the operator from the others. */
export const DRAIN_LOOK_TIMEOUT_MS = 1_000;
export const DRAIN_POLL_MS = 100;
/** One look at the pipeline for the settlement; what is not there yet is looked for at the next one. */
export const SETTLE_LOOK_TIMEOUT_MS = 3_000;
/** Holds that stay uncommitted after the pipeline is drained are re-sent by the relay; beyond this they are settled as lost. */
export const SETTLE_HELD_WAIT_MS = 180_000;
/** An audit that is not all zero is made again until this long after the pipeline was first seen empty. */
export const SETTLE_RECHECK_MS = 5_000;
/** How old facts for the checks may be, before and after the sale is armed. */
export const FACTS_MAX_AGE_UNARMED_MS = 1_000;
export const FACTS_MAX_AGE_ARMED_MS = 10_000;
/** How long one question to a server may take before it counts as unanswered. */
export const QUESTION_TIMEOUT_MS = 5_000;
/** Rows that one step of a rebuild brings to Redis. */
export const REBUILD_CHUNK_ROWS = 500;
export const REBUILD_PAGE_ROWS = 5_000;
/** Settlements that are kept in memory, so that a settled event is not read again and again. */
export const SETTLEMENTS_REMEMBERED_MAX = 1_000;

assert(DRAIN_LOOK_TIMEOUT_MS < DRAIN_TIMEOUT_MS, 'a recovery is looked at more than once');
assert(SETTLE_LOOK_TIMEOUT_MS < SETTLE_HELD_WAIT_MS, 'a settlement is looked for more than once');
