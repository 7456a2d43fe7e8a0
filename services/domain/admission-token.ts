import assert from 'node:assert/strict';
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { uuidv7obj } from 'uuidv7';
import type { ErrorCode } from './errors.ts';
import { parseEventId } from './event.ts';
import { TOKEN_CLOCK_TOLERANCE_MS } from './limits.ts';
import { isBuyer } from './reservation.ts';

/*
 * The admission token lets one buyer try one event. It is fixed-format, so that there is nothing to negotiate:
 *
 *   version (1 byte) · key id · event id · buyer · not-before · expiry · nonce · HMAC-SHA-256 of all before it
 *
 * Each field is preceded by its length in one byte (times are 8 bytes, the nonce 16, the HMAC 32): without the lengths,
 * two different tokens could be the same bytes. The whole is base64url without padding, in its one canonical form.
 */
const VERSION = 1;
const NONCE_BYTES = 16;
const TIME_BYTES = 8;
const MAC_BYTES = 32;
const FIELD_MAX_BYTES = 255;
/** Version, six length bytes with their longest fields, and the HMAC: what is longer cannot be a token. */
const TOKEN_MAX_CHARS = 1_200;

/**
 * Keys by id. `current` signs; all of them verify, so that a key can be changed while its tokens are about. A key object
 * verifies five times faster than its bytes, and does not end up in a log.
 */
export interface TokenKeys {
  current: string;
  keys: Record<string, KeyObject | Buffer>;
}

export interface AdmissionToken {
  eventId: string;
  buyer: string;
  /** Milliseconds since 1970; the token is valid in [notBeforeMs, expiresMs), give or take the clock tolerance. */
  notBeforeMs: number;
  expiresMs: number;
  /** 16 bytes, a UUIDv7. It is the reservation id. */
  nonce: Uint8Array;
  keyId: string;
}

export type VerifiedToken =
  | { ok: true; token: AdmissionToken; reservationId: string }
  /** `token` is there when the signature was right: a caller may then still accept it for reading. */
  | { ok: false; code: ErrorCode; token?: AdmissionToken };

/** Signs a token with the current key. Without a nonce it gets a fresh one. */
export function mintToken(
  { current, keys }: TokenKeys,
  token: Omit<AdmissionToken, 'keyId' | 'nonce'> & { nonce?: Uint8Array },
): string {
  const key = keys[current];
  assert(key !== undefined, 'the current key is one of the keys');
  const nonce = token.nonce ?? uuidv7obj().bytes;
  assert.equal(nonce.length, NONCE_BYTES, 'a nonce has 16 bytes');
  assert(parseEventId(token.eventId) !== undefined && isBuyer(token.buyer), 'a token names an event and a buyer');
  const signed = Buffer.concat([
    Buffer.from([VERSION]),
    field(Buffer.from(current)),
    field(Buffer.from(token.eventId)),
    field(Buffer.from(token.buyer)),
    field(timeBytes(token.notBeforeMs)),
    field(timeBytes(token.expiresMs)),
    field(nonce),
  ]);
  return Buffer.concat([signed, hmac(key, signed)]).toString('base64url');
}

/**
 * Reads and checks a token. The codes, in order: malformed, key unknown, forged, other event, too early, expired.
 * Issuer's and verifier's clocks may differ by TOKEN_CLOCK_TOLERANCE_MS; the sale's window is judged by Redis alone.
 */
export function verifyToken(
  { keys }: TokenKeys,
  text: string,
  { nowMs, eventKey }: { nowMs: number; eventKey?: string },
): VerifiedToken {
  const bytes = decode(text);
  const token = bytes === undefined ? undefined : parse(bytes);
  if (bytes === undefined || token === undefined) return { ok: false, code: 'SECKILL_ERR_TOKEN_MALFORMED' };
  const key = Object.hasOwn(keys, token.keyId) ? keys[token.keyId] : undefined;
  if (key === undefined) return { ok: false, code: 'SECKILL_ERR_TOKEN_KEY_UNKNOWN' };
  const macStart = bytes.length - MAC_BYTES;
  if (!timingSafeEqual(hmac(key, bytes.subarray(0, macStart)), bytes.subarray(macStart))) {
    return { ok: false, code: 'SECKILL_ERR_TOKEN_FORGED' };
  }
  // Signed or not, it came over the network: what cannot name a buyer goes no further.
  if (!isBuyer(token.buyer)) return { ok: false, code: 'SECKILL_ERR_TOKEN_MALFORMED' };
  if (eventKey !== undefined && !isOfEvent(token.eventId, eventKey)) {
    return { ok: false, code: 'SECKILL_ERR_TOKEN_OTHER_EVENT', token };
  }
  if (nowMs + TOKEN_CLOCK_TOLERANCE_MS < token.notBeforeMs) {
    return { ok: false, code: 'SECKILL_ERR_TOKEN_TOO_EARLY', token };
  }
  if (nowMs - TOKEN_CLOCK_TOLERANCE_MS >= token.expiresMs)
    return { ok: false, code: 'SECKILL_ERR_TOKEN_EXPIRED', token };
  return { ok: true, token, reservationId: reservationIdOf(token.nonce) };
}

/** The nonce as the text of a UUID: the id of the reservation, and later of the order. */
export function reservationIdOf(nonce: Uint8Array): string {
  const hex = Buffer.from(nonce.buffer, nonce.byteOffset, nonce.byteLength).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function hmac(key: KeyObject | Buffer, data: Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

function field(value: Uint8Array): Buffer {
  assert(value.length > 0 && value.length <= FIELD_MAX_BYTES, 'a field of a token has 1 to 255 bytes');
  return Buffer.concat([Buffer.from([value.length]), value]);
}

function timeBytes(ms: number): Buffer {
  assert(Number.isSafeInteger(ms) && ms >= 0, 'a time is whole milliseconds since 1970');
  const bytes = Buffer.alloc(TIME_BYTES);
  bytes.writeBigUInt64BE(BigInt(ms));
  return bytes;
}

/** The bytes, or `undefined` when the text is not the canonical base64url of any: the decoder skips what it dislikes. */
function decode(text: string): Buffer | undefined {
  if (text.length > TOKEN_MAX_CHARS) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** The fields, or `undefined` when a length leads past the end, or a byte too many is left. */
function parse(bytes: Buffer): AdmissionToken | undefined {
  if (bytes[0] !== VERSION) return undefined;
  const end = bytes.length - MAC_BYTES;
  const starts: number[] = [];
  let at = 1;
  for (let index = 0; index < 6; index += 1) {
    const length = at < end ? bytes[at] : undefined;
    if (length === undefined || length === 0) return undefined;
    starts.push(at + 1);
    at += 1 + length;
  }
  const [keyId, eventId, buyer, notBefore, expires, nonce] = starts as [number, number, number, number, number, number];
  if (at !== end || expires - notBefore !== TIME_BYTES + 1 || nonce - expires !== TIME_BYTES + 1) return undefined;
  if (end - nonce !== NONCE_BYTES) return undefined;
  const notBeforeMs = readTime(bytes, notBefore);
  const expiresMs = readTime(bytes, expires);
  if (!Number.isSafeInteger(notBeforeMs) || !Number.isSafeInteger(expiresMs)) return undefined;
  return {
    keyId: bytes.toString('latin1', keyId, eventId - 1),
    eventId: bytes.toString('latin1', eventId, buyer - 1),
    buyer: bytes.toString('latin1', buyer, notBefore - 1),
    notBeforeMs,
    expiresMs,
    nonce: bytes.subarray(nonce, end),
  };
}

function readTime(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** Whether `namespace.name.edition` is an edition of `namespace/name`, without taking it apart. */
function isOfEvent(eventId: string, eventKey: string): boolean {
  const slash = eventKey.indexOf('/');
  return (
    eventId.lastIndexOf('.') === eventKey.length &&
    eventId[slash] === '.' &&
    eventId.startsWith(eventKey.slice(0, slash)) &&
    eventId.startsWith(eventKey.slice(slash + 1), slash + 1)
  );
}
