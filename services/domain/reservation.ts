import { BUYER_MAX_CHARS, TOTAL_UNITS_MAX } from './limits.ts';

/** A reservation goes `held → committed | released`; a committed one may be released later. */
export type ReservationState = 'held' | 'committed' | 'released';

/** A buyer's wish for units. Its id comes from the admission token's nonce, so that a retry is the same reservation. */
export interface Attempt {
  reservationId: string;
  buyer: string;
  units: number;
}

/** A reservation as Redis remembers it. `journalId` is the id of the journal entry that first told of it. */
export interface Reservation extends Attempt {
  state: ReservationState;
  journalId: string;
}

/** What Redis has under a reservation's id, and nobody can read: broken data, which must not stop its reader. */
export interface MalformedReservation {
  reservationId: string;
  state: 'malformed';
}

const RESERVATION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const BUYER = new RegExp(`^[A-Za-z0-9._:@~-]{1,${BUYER_MAX_CHARS}}$`);

/** Whether the text is a reservation id: the token's 16-byte nonce in the usual form of a UUID, lower case. */
export function isReservationId(value: string): boolean {
  return RESERVATION_ID.test(value);
}

/** Whether the text can name a buyer: the shop's opaque id, 1–64 of letters, digits and `._:@~-`. */
export function isBuyer(value: string): boolean {
  return BUYER.test(value);
}

/** Whether this is something that live stock could hold. */
export function isAttempt({ reservationId, buyer, units }: Attempt): boolean {
  return (
    isReservationId(reservationId) &&
    isBuyer(buyer) &&
    Number.isInteger(units) &&
    units >= 1 &&
    units <= TOTAL_UNITS_MAX
  );
}
