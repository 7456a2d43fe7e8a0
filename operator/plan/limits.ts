import assert from 'node:assert/strict';

/** Times and thresholds of the plan. */

/** How often an event is looked at: far from anything, near or in its sale, and while something is under way. */
export const CALM_INTERVAL_MS = 60_000;
export const ACTIVE_INTERVAL_MS = 1_000;
export const BUSY_INTERVAL_MS = 250;
export const OVER_INTERVAL_MS = 300_000;

/** Ready pods without which no sale is armed, unless its floor is lower. */
export const READY_PODS_LEAST = 2;
export const DRAIN_SECONDS = 15;

/** Of Redis' memory, what must stay free after the sale has grown to its greatest. */
export const MEMORY_HEADROOM_RATIO = 0.1;
/** What one sold unit takes at most: its reservation, its buyer and its journal entries. */
export const MEMORY_PER_UNIT_BYTES = 700;
/** Beyond this difference between the operator's clock and Redis' the sale is called degraded. */
export const CLOCK_SKEW_MAX_MS = 1_000;
export const TOPIC_PARTITIONS_LEAST = 12;

assert(BUSY_INTERVAL_MS <= ACTIVE_INTERVAL_MS && ACTIVE_INTERVAL_MS <= CALM_INTERVAL_MS, 'the nearer, the more often');
