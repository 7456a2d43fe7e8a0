import assert from 'node:assert/strict';
import { JOURNAL_READ_MAX_ENTRIES, LOOKUP_MAX_RESERVATIONS } from '../../lua/limits.ts';
import { HOLD_RESEND_AFTER_MS } from '../domain/limits.ts';
import { SEND_DEADLINE_MS, SENDS_WAITING_MAX } from '../kit/kafka/limits.ts';

/** Entries that one read of a journal brings. */
export const READ_MAX_ENTRIES = 1_000;
/** Batches of one journal that are on their way to Kafka or back at the same time. */
export const BATCHES_IN_HAND_MAX = 3;
/** Messages and characters of one send. Several journals share it. */
export const SEND_MAX_MESSAGES = 1_000;
export const SEND_MAX_CHARS = 512 * 1024;
/** What is kept of an entry that cannot be read. */
export const DEAD_LETTER_MAX_CHARS = 512;

/** How soon a journal is looked at again when it had nothing: around its window, and otherwise. */
export const POLL_OPEN_MS = 20;
export const POLL_CLOSED_MS = 250;
/** After a read that brought less than it could, so that the next one is worth its round trip. */
export const GATHER_MS = 4;
/** How long before the start and after the end of the window a journal is looked at often. */
export const OPEN_MARGIN_MS = 5_000;

/**
 * Entries that a relay was given so long ago, and has not acknowledged, are taken over from it. Longer than a send can
 * last: what a living relay sends at its first try is not sent by another one as well. What has to wait for Kafka for
 * longer may be, which consumers can do with.
 */
export const CLAIM_IDLE_MS = 30_000;
export const CLAIM_IDLE_MIN_MS = 500;
/** How often a relay looks for such entries: this part of the time that makes them such. */
export const CLAIM_CHECKS_PER_IDLE = 4;

/** After something failed, at first and at most. */
export const TROUBLE_FIRST_MS = 100;
export const TROUBLE_LONGEST_MS = 2_000;
/** A stop gives the batches in hand so long to arrive. What did not is taken over by another relay. */
export const STOP_PATIENCE_MS = 5_000;
/** How long one command to Redis may take. */
export const REDIS_COMMAND_TIMEOUT_MS = 3_000;

/** How often holds are looked for that are due to be sent again: this part of the time that makes them due. */
export const RESEND_CHECKS_PER_WAIT = 6;
export const RESEND_CHECK_LONGEST_MS = 5_000;
export const RESEND_AFTER_MIN_MS = 200;
/** Holds of one journal that wait for their next sending; the search goes on when there is room. */
export const RESEND_SUSPECTS_MAX = 10_000;
/** Entries of one page of a journal, and pages that one look reads. */
export const RESEND_PAGE_ENTRIES = 500;
export const RESEND_PAGES_MAX = 20;

/** How often the lengths of the journals are measured. */
export const MEASURE_INTERVAL_MS = 2_000;

assert(READ_MAX_ENTRIES <= JOURNAL_READ_MAX_ENTRIES, 'a journal gives no more at once');
assert(READ_MAX_ENTRIES <= SEND_MAX_MESSAGES, 'a batch must fit into a send');
assert(RESEND_PAGE_ENTRIES <= LOOKUP_MAX_RESERVATIONS, 'a page of holds must fit into a look-up');
assert(READ_MAX_ENTRIES * DEAD_LETTER_MAX_CHARS <= SEND_MAX_CHARS, 'a batch of dead letters must fit into a send');
assert(CLAIM_IDLE_MS > SEND_DEADLINE_MS, 'what a living relay is sending must not be taken over');
assert(HOLD_RESEND_AFTER_MS >= RESEND_AFTER_MIN_MS, 'holds are not sent again faster than the ledger can take them');
assert(BATCHES_IN_HAND_MAX < SENDS_WAITING_MAX, 'the batches in hand must not fill the queue of sends');
