import assert from 'node:assert/strict';
import { IDS_MAX_PER_STATEMENT } from '../../ledger/limits.ts';
import { JOURNAL_READ_MAX_ENTRIES, LOOKUP_MAX_RESERVATIONS } from '../../lua/limits.ts';
import { HOLD_RESEND_AFTER_MS, HOLD_RESEND_MAX_TIMES } from '../../services/domain/limits.ts';

/** How long an audit waits for the consumers to pass the end; without it nothing is due, and the audit says so. */
export const AUDIT_OFFSETS_WAIT_MS = 10_000;
export const AUDIT_OFFSETS_POLL_MS = 100;
/** The same for a settled sale, where all is due whether or not they pass. */
export const AUDIT_SETTLED_WAIT_MS = 1_000;
/** Entries of a journal, and ids of a second look, that one call reads. */
export const AUDIT_JOURNAL_PAGE_ENTRIES = 1_000;
export const AUDIT_LOOK_MAX_IDS = 500;
/** What looks wrong is looked at again so often, with a pause that a sweep of returns needs. */
export const AUDIT_LOOKS_AGAIN = 2;
export const AUDIT_LOOK_PAUSE_MS = 300;
/** So many looks in a row must find the ledger's counter of sold units off before everything is compared. */
export const AUDIT_SOLD_OFF_LOOKS = 2;
/** Findings that an audit lists. It counts all of them. */
export const AUDIT_FINDINGS_MAX = 100;

/** How often the continuous audit looks at a running sale. */
export const AUDIT_INTERVAL_MS = 2_000;
/** Journal entries that it keeps in memory while they are not due; beyond, it counts no further until some are. */
export const AUDIT_TAIL_MAX_ENTRIES = 200_000;
/** What was found wrong and is looked at again each round; what is beyond is only counted. */
export const AUDIT_WRONG_MAX = 1_000;
/** Rows changed so long before the last look are looked at again: their transaction may have ended after it. */
export const AUDIT_CHANGED_OVERLAP_MS = 1_000;
/** A full comparison that took longer is followed by a rest of so many times its own length. */
export const AUDIT_FULL_SHORT_MS = 200;
export const AUDIT_FULL_REST_TIMES = 10;
/** What only a full comparison can find to be right again is compared in full so often. */
export const AUDIT_RECHECK_MS = 30_000;
/** The journal keeps what is younger, whatever was audited: a relay that starts anew looks there for holds to resend. */
export const AUDIT_JOURNAL_KEEP_MS = HOLD_RESEND_AFTER_MS * 2 ** HOLD_RESEND_MAX_TIMES;
/** Events that are audited at once. */
export const AUDIT_EVENTS_AT_ONCE = 4;
/** Sales that are over whose numbers are kept, to be shown where there is room. */
export const AUDIT_SETTLED_KEPT_MAX = 1_000;

assert(AUDIT_JOURNAL_PAGE_ENTRIES <= JOURNAL_READ_MAX_ENTRIES, 'a page of the journal fits one call');
assert(AUDIT_LOOK_MAX_IDS <= LOOKUP_MAX_RESERVATIONS, 'the ids of a look fit one look-up in Redis');
assert(AUDIT_LOOK_MAX_IDS <= IDS_MAX_PER_STATEMENT, 'the ids of a look fit one statement');
