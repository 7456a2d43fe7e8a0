import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseEventId } from './event.ts';
import { BUCKETS_MAX, GENERATION_MAX, TOTAL_UNITS_MAX } from './limits.ts';
import { isBuyer, isReservationId } from './reservation.ts';

/** The Kafka message that tells of one hold. Its key is the reservation id. */
export interface HoldMessage {
  v: 1;
  eventId: string;
  bucket: number;
  generation: number;
  /** Id of the journal entry, for example `1764000000000-3`. */
  journalId: string;
  reservationId: string;
  buyer: string;
  units: number;
  /** Redis time of the hold, in milliseconds since 1970. */
  heldAtMs: number;
}

const schema = Compile(
  Type.Object({
    v: Type.Literal(1),
    eventId: Type.String(),
    bucket: Type.Integer({ minimum: 0, maximum: BUCKETS_MAX - 1 }),
    generation: Type.Integer({ minimum: 1, maximum: GENERATION_MAX }),
    journalId: Type.String({ pattern: '^\\d{1,16}-\\d{1,10}$' }),
    reservationId: Type.String(),
    buyer: Type.String(),
    units: Type.Integer({ minimum: 1, maximum: TOTAL_UNITS_MAX }),
    heldAtMs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  }),
);

export type ParsedHold = { ok: true; message: HoldMessage } | { ok: false; reason: string };

export function encodeHold(message: HoldMessage): string {
  return JSON.stringify(message);
}

/**
 * Reads a message's value. A value that cannot be read comes back with its reason in words; the caller sends it to the
 * dead-letter topic. Unknown further fields are allowed, so that the next release may add some.
 */
export function parseHold(value: Buffer | string | null): ParsedHold {
  if (value === null) return { ok: false, reason: 'the message has no value' };
  let data: unknown;
  try {
    data = JSON.parse(value.toString());
  } catch {
    return { ok: false, reason: 'the value is not JSON' };
  }
  if (!schema.Check(data)) {
    const first = schema.Errors(data)[0];
    return { ok: false, reason: `${first?.instancePath || 'the value'} ${first?.message ?? 'is not a hold'}` };
  }
  if (parseEventId(data.eventId) === undefined) return { ok: false, reason: '/eventId is not an event id' };
  if (!isReservationId(data.reservationId)) return { ok: false, reason: '/reservationId is not a reservation id' };
  if (!isBuyer(data.buyer)) return { ok: false, reason: '/buyer is not a buyer id' };
  return { ok: true, message: data };
}
