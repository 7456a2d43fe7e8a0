import { describe, expect, test } from 'vitest';
import { encodeHold, type HoldMessage, parseHold } from '../../services/domain/hold-message.ts';
import { GENERATION_MAX, TOTAL_UNITS_MAX } from '../../services/domain/limits.ts';

const HOLD: HoldMessage = {
  v: 1,
  eventId: 'shop.phone-x.1',
  bucket: 0,
  generation: 1,
  journalId: '1764000000000-3',
  reservationId: '0190a000-0000-7000-8000-000000000001',
  buyer: 'buyer-1',
  units: 1,
  heldAtMs: 1_764_000_000_000,
};

describe('a hold message', () => {
  test('is read as it was written', () => {
    expect(parseHold(encodeHold(HOLD))).toEqual({ ok: true, message: HOLD });
    expect(parseHold(Buffer.from(encodeHold(HOLD)))).toEqual({ ok: true, message: HOLD });
  });

  test('may have fields that a later release adds', () => {
    expect(parseHold(JSON.stringify({ ...HOLD, channel: 'app' })).ok).toBe(true);
  });

  test.each<[string, Partial<Record<keyof HoldMessage, unknown>>]>([
    [
      'the largest',
      { units: TOTAL_UNITS_MAX, generation: GENERATION_MAX, bucket: 1023, journalId: '9999999999999999-0' },
    ],
    ['the smallest', { units: 1, generation: 1, heldAtMs: 0, journalId: '0-1' }],
  ])('takes %s values', (_what, changes) => {
    expect(parseHold(JSON.stringify({ ...HOLD, ...changes })).ok).toBe(true);
  });

  test.each<[string, unknown, RegExp]>([
    ['nothing', null, /no value/],
    ['a text', 'hello', /not JSON/],
    ['a number', '1', /the value /],
    ['an array', '[]', /the value /],
    ['another version', { v: 2 }, /^\/v /],
    ['no units', { units: undefined }, /units/],
    ['zero units', { units: 0 }, /^\/units /],
    ['half a unit', { units: 1.5 }, /^\/units /],
    ['too many units', { units: TOTAL_UNITS_MAX + 1 }, /^\/units /],
    ['units as a text', { units: '1' }, /^\/units /],
    ['a generation that no column holds', { generation: 1e300 }, /^\/generation /],
    ['generation 0', { generation: 0 }, /^\/generation /],
    ['a time that is not exact', { heldAtMs: 2 ** 60 }, /^\/heldAtMs /],
    ['a bucket below zero', { bucket: -1 }, /^\/bucket /],
    ['a journal id of another form', { journalId: '1764' }, /^\/journalId /],
    ['an event that is none', { eventId: 'shop/phone' }, /^\/eventId /],
    ['edition 0', { eventId: 'shop.phone.0' }, /^\/eventId /],
    ['a reservation that is none', { reservationId: 'x' }, /^\/reservationId /],
    ['a reservation in upper case', { reservationId: HOLD.reservationId.replace('a', 'A') }, /^\/reservationId /],
    ['a buyer with a space', { buyer: 'a b' }, /^\/buyer /],
    ['a buyer who is too long', { buyer: 'a'.repeat(65) }, /^\/buyer /],
  ])('%s is refused with its reason', (_what, value, reason) => {
    const text =
      value === null || typeof value === 'string' ? value : JSON.stringify({ ...HOLD, ...(value as object) });
    const parsed = parseHold(text);
    expect(parsed).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  });
});
