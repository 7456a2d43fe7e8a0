import assert from 'node:assert/strict';
import { JOURNAL_READ_MAX_ENTRIES, LOOKUP_MAX_RESERVATIONS } from '../../../lua/limits.ts';

/** Bounds of what the leader measures, beside what it looks at anyway. */

/** Events that are shown, and those of them that are shown in full, however few series the others leave. */
export const EVENTS_SHOWN_MAX = 20;
export const EVENTS_IN_FULL_MAX = 5;
export const EVENTS_IN_FULL_MIN = 2;
/** Series of all events together. Of the 300 of a process a leader needs the others for itself, servers and pipeline. */
export const EVENT_SERIES_MAX = 145;
/** Series of one event: its phase, the six numbers and their age, what its opening needs, and the rest. */
export const PHASE_SERIES = 1;
export const AUDIT_SERIES = 7;
export const OPENING_SERIES = 5;
export const REST_SERIES = 13;
/** A sale that opens so soon, or has opened so lately, comes before all others. */
export const BEFORE_OPENING_MS = 900_000;
export const AFTER_OPENING_MS = 300_000;
/** For how long the events keep their ranks, if nothing happens to them. */
export const RANKED_FOR_MS = 1_000;

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

assert(
  EVENTS_IN_FULL_MAX * (PHASE_SERIES + AUDIT_SERIES + OPENING_SERIES + REST_SERIES) <= EVENT_SERIES_MAX,
  'as many sales as are shown in full fit while all of them run',
);
assert(
  EVENTS_IN_FULL_MAX * (PHASE_SERIES + AUDIT_SERIES + OPENING_SERIES + REST_SERIES) <= EVENT_SERIES_MAX,
  'as many running sales as may be shown in full have room',
);
assert(HOLDS_PAGE_ENTRIES <= JOURNAL_READ_MAX_ENTRIES, 'a journal gives no more at once');
assert(HOLDS_PAGE_ENTRIES <= LOOKUP_MAX_RESERVATIONS, 'a page of holds must fit into a look-up');
