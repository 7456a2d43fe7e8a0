import assert from 'node:assert/strict';
import type { MalformedReservation, Reservation, ReservationState } from '../services/domain/reservation.ts';
import type { NotReady, NotReadyReason, Ran } from './loader.ts';
import type { ReserveAnswer, StockSnapshot, StockTally } from './stock.ts';

/** Readers of what the scripts reply. A reply that breaks its script's contract stops the process. */

const SCRIPT_REASONS: readonly NotReadyReason[] = [
  'missing',
  'other-generation',
  'recovering',
  'unarmed',
  'not-recovering',
  'not-begun',
  'law-broken',
];

const STATES: Record<string, ReservationState> = { h: 'held', c: 'committed', r: 'released' };
/** `<h|c|r> <units> <journalId> <buyer>`; a later release may add values at the end. */
const RESERVATION = /^([hcr]) (\d{1,15}) (\S+) (\S+)/;

export function text(value: unknown): string {
  assert(typeof value === 'string', 'a script replied with something else than text');
  return value;
}

/** A whole number, whether Redis sent it as an integer or as text. */
export function whole(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  assert(
    typeof number === 'number' && Number.isSafeInteger(number),
    'a script replied with something else than a number',
  );
  return number;
}

export function oneOf<T extends string>(allowed: readonly T[], value: unknown): T {
  const found = allowed.find((one) => one === value);
  assert(found !== undefined, 'a script replied with a word that is not in its contract');
  return found;
}

/** The reply when the script did its work, `not-ready` with the reason otherwise. */
export function decided(ran: Ran): { status: 'ran'; word: string; reply: unknown[] } | NotReady {
  if (ran.status === 'not-ready') return ran;
  const word = text(ran.reply[0]);
  if (word !== 'not-ready') return { status: 'ran', word, reply: ran.reply };
  return { status: 'not-ready', reason: oneOf(SCRIPT_REASONS, ran.reply[1]) };
}

/** Reads the value under a reservation's id. */
export function parseReservation(reservationId: string, value: string): Reservation | MalformedReservation {
  const [, letter = '', units, journalId, buyer] = RESERVATION.exec(value) ?? [];
  const state = STATES[letter];
  if (state === undefined || journalId === undefined || buyer === undefined)
    return { reservationId, state: 'malformed' };
  return { reservationId, buyer, units: Number(units), state, journalId };
}

export const STOCK_MODES = ['unarmed', 'selling', 'paused', 'recovering'] as const;

const ANSWER_WORDS: Record<string, ReserveAnswer> = {
  'exists-held': { status: 'exists', state: 'held' },
  'exists-committed': { status: 'exists', state: 'committed' },
  'exists-released': { status: 'exists', state: 'released' },
  conflict: { status: 'conflict' },
  late: { status: 'late' },
  paused: { status: 'paused' },
  'not-open': { status: 'not-open' },
  closed: { status: 'closed' },
  'limit-exceeded': { status: 'limit-exceeded' },
};

/** Reads what `reserve` answered to one attempt. */
export function reserveAnswer(value: unknown): ReserveAnswer {
  if (typeof value === 'number') return { status: 'sold-out', unitsLeft: value };
  const word = text(value);
  // A journal id is the only answer that begins with a digit.
  return ANSWER_WORDS[word] ?? { status: 'held', journalId: word };
}

/** Reads the reply `ok` of `snapshot`. */
export function readSnapshot(reply: unknown[]): StockSnapshot {
  const [, nowMs, lawHolds, journalLength, generation, revision, mode, closed, ...numbers] = reply;
  const [startMs, endMs, unitsPerBuyer, totalUnits, availableUnits, heldUnits, committedUnits, smallest] = numbers;
  return {
    status: 'ok',
    nowMs: whole(nowMs),
    lawHolds: whole(lawHolds) === 1,
    journalLength: whole(journalLength),
    generation: whole(generation),
    revision: whole(revision),
    mode: oneOf(STOCK_MODES, mode),
    closed: text(closed) === '1',
    startMs: whole(startMs),
    endMs: whole(endMs),
    unitsPerBuyer: whole(unitsPerBuyer),
    totalUnits: whole(totalUnits),
    availableUnits: whole(availableUnits),
    heldUnits: whole(heldUnits),
    committedUnits: whole(committedUnits),
    smallestRefusedAsk: whole(smallest),
  };
}

/** Reads the reply `counted` of `tally`. */
export function readTally(reply: unknown[]): StockTally {
  const [, nowMs, revision, closed, totalUnits, availableUnits, heldUnits, committedUnits, smallest, ...rest] = reply;
  return {
    status: 'counted',
    nowMs: whole(nowMs),
    revision: whole(revision),
    closed: whole(closed) === 1,
    totalUnits: whole(totalUnits),
    availableUnits: whole(availableUnits),
    heldUnits: whole(heldUnits),
    committedUnits: whole(committedUnits),
    smallestRefusedAsk: whole(smallest),
    reservations: whole(rest[0]),
    lastJournalId: text(rest[1]),
  };
}
