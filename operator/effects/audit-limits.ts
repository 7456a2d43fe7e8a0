import assert from 'node:assert/strict';
import { IDS_MAX_PER_STATEMENT } from '../../ledger/limits.ts';
import { JOURNAL_READ_MAX_ENTRIES, LOOKUP_MAX_RESERVATIONS } from '../../lua/limits.ts';

/** How long an audit waits for the consumers to pass the end; without it nothing is due, and the audit says so. */
export const AUDIT_OFFSETS_WAIT_MS = 10_000;
export const AUDIT_OFFSETS_POLL_MS = 100;
/** Entries of a journal, and ids of a second look, that one call reads. */
export const AUDIT_JOURNAL_PAGE_ENTRIES = 1_000;
export const AUDIT_LOOK_MAX_IDS = 500;
/** What looks wrong is looked at again so often, with a pause that a sweep of returns needs. */
export const AUDIT_LOOKS_AGAIN = 2;
export const AUDIT_LOOK_PAUSE_MS = 300;
/** Findings that an audit lists. It counts all of them. */
export const AUDIT_FINDINGS_MAX = 100;

assert(AUDIT_JOURNAL_PAGE_ENTRIES <= JOURNAL_READ_MAX_ENTRIES, 'a page of the journal fits one call');
assert(AUDIT_LOOK_MAX_IDS <= LOOKUP_MAX_RESERVATIONS, 'the ids of a look fit one look-up in Redis');
assert(AUDIT_LOOK_MAX_IDS <= IDS_MAX_PER_STATEMENT, 'the ids of a look fit one statement');
