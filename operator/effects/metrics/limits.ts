import assert from 'node:assert/strict';
import { JOURNAL_READ_MAX_ENTRIES, LOOKUP_MAX_RESERVATIONS } from '../../../lua/limits.ts';

/** Bounds of what the leader measures, beside what it looks at anyway. */

/** Events that are shown in full, and of which only the phase is told; both those nearest to their window. */
export const EVENTS_IN_FULL_MAX = 5;
export const EVENTS_BY_PHASE_MAX = 20;

/** How often journals, the consumers' lag and the orders are measured, and how often the servers are asked. */
export const PIPELINE_INTERVAL_MS = 2_000;
export const SERVERS_INTERVAL_MS = 5_000;
/** Counting orders reads all of them: it takes at most this part of the time, and comes no more often than this. */
export const ORDERS_BUSY_RATIO = 0.05;
export const ORDERS_INTERVAL_MS = 4_000;

/** Entries of one page of a journal, and pages of one look for the oldest hold; the next look goes on from there. */
export const HOLDS_PAGE_ENTRIES = 500;
export const HOLDS_PAGES_MAX = 20;
/** Ends of partitions that are remembered with their time, to tell how old a lag is: one hour of a busy topic. */
export const ENDS_REMEMBERED_MAX = 1_800;

assert(HOLDS_PAGE_ENTRIES <= JOURNAL_READ_MAX_ENTRIES, 'a journal gives no more at once');
assert(HOLDS_PAGE_ENTRIES <= LOOKUP_MAX_RESERVATIONS, 'a page of holds must fit into a look-up');
