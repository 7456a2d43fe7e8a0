import assert from 'node:assert/strict';
import type { Reservation, ReservationState } from '../services/domain/reservation.ts';
import type { NotReady, NotReadyReason, Ran } from './loader.ts';

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

/** Reads `<h|c|r> <units> <journalId> <buyer>`, the value under a reservation's id. */
export function parseReservation(reservationId: string, value: string): Reservation {
  const [letter = '', units, journalId, buyer] = value.split(' ');
  const state = STATES[letter];
  assert(state !== undefined && journalId !== undefined && buyer !== undefined, 'a reservation cannot be read');
  return { reservationId, buyer, units: whole(units), state, journalId };
}
