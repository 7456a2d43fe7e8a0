import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdmissionToken,
  mintToken,
  reservationIdOf,
  type TokenKeys,
  verifyToken,
} from '../../services/domain/admission-token.ts';
import { TOKEN_CLOCK_TOLERANCE_MS } from '../../services/domain/limits.ts';
import { isReservationId } from '../../services/domain/reservation.ts';

const keys: TokenKeys = { current: 'k1', keys: { k1: createSecretKey(randomBytes(32)), k0: randomBytes(32) } };
const nowMs = 1_790_000_000_000;
const wish = { eventId: 'shop.phone-x.1', buyer: 'b-1', notBeforeMs: nowMs - 1, expiresMs: nowMs + 1_000 };
const good = mintToken(keys, wish);
const codeOf = (text: string, options: { nowMs?: number; eventKey?: string; keys?: TokenKeys } = {}): string => {
  const verified = verifyToken(options.keys ?? keys, text, { nowMs, eventKey: 'shop/phone-x', ...options });
  return verified.ok ? 'ok' : verified.code;
};

describe('a token', () => {
  it('brings back what was signed, whatever that was', () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/);
    const buyer = fc.stringMatching(/^[A-Za-z0-9._:@~-]{1,64}$/);
    const time = fc.integer({ min: 0, max: 2 ** 52 });
    const nonce = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(label, label, buyer, time, nonce, (namespace, name, who, notBeforeMs, bytes) => {
        const token = {
          eventId: `${namespace}.${name}.7`,
          buyer: who,
          notBeforeMs,
          expiresMs: notBeforeMs + 1,
          nonce: bytes,
        };
        const verified = verifyToken(keys, mintToken(keys, token), {
          nowMs: notBeforeMs,
          eventKey: `${namespace}/${name}`,
        });
        expect(verified.ok).toBe(true);
        const read = verified.token as AdmissionToken;
        expect({ ...read, nonce: [...read.nonce] }).toEqual({ ...token, keyId: 'k1', nonce: [...bytes] });
      }),
    );
  });

  it('names a reservation: its nonce as the text of a UUID, a fresh one each time', () => {
    const nonce = Buffer.from('019d0000aaaa7bbb8cccddddeeeeffff', 'hex');
    expect(reservationIdOf(nonce)).toBe('019d0000-aaaa-7bbb-8ccc-ddddeeeeffff');
    const ids = new Set(
      Array.from({ length: 100 }, () => {
        const verified = verifyToken(keys, mintToken(keys, wish), { nowMs });
        return verified.ok ? verified.reservationId : '';
      }),
    );
    expect(ids.size).toBe(100);
    // Version 7 of RFC 9562: ids of one sale lie near each other in an index.
    for (const id of ids) expect(isReservationId(id) && id[14] === '7').toBe(true);
  });

  it('is not made of what cannot name an event or a buyer', () => {
    expect(() => mintToken(keys, { ...wish, buyer: 'two words' })).toThrow();
    expect(() => mintToken(keys, { ...wish, eventId: 'shop/phone-x' })).toThrow();
    expect(() => mintToken(keys, { ...wish, expiresMs: 1.5 })).toThrow();
    expect(() => mintToken(keys, { ...wish, nonce: new Uint8Array(15) })).toThrow();
  });
});

describe('what is not a token of ours', () => {
  it('cut off anywhere is malformed', () => {
    for (let length = 0; length < good.length; length += 1) {
      expect([length, codeOf(good.slice(0, length))]).toEqual([length, 'SECKILL_ERR_TOKEN_MALFORMED']);
    }
  });

  it('with any single bit changed is refused', () => {
    const bytes = Buffer.from(good, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(codeOf(changed.toString('base64url'))).toMatch(/_(MALFORMED|FORGED|KEY_UNKNOWN)$/);
    }
  });

  it('in any but the one canonical spelling is malformed', () => {
    for (const text of [
      `${good}A`,
      `${good}=`,
      ` ${good}`,
      `${good}\n`,
      good.replace(/.$/, '*'),
      `${good}.${good}`,
      '',
    ]) {
      expect(codeOf(text)).toBe('SECKILL_ERR_TOKEN_MALFORMED');
    }
    expect(codeOf('A'.repeat(100_000))).toBe('SECKILL_ERR_TOKEN_MALFORMED');
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 })), (junk) => {
        const text = typeof junk === 'string' ? junk : Buffer.from(junk).toString('base64url');
        expect(codeOf(text)).not.toBe('ok');
      }),
    );
  });

  it('signed with another key of the same name is forged, and one whose key left the file is unknown', () => {
    const other = mintToken({ current: 'k1', keys: { k1: randomBytes(32) } }, wish);
    expect(codeOf(other)).toBe('SECKILL_ERR_TOKEN_FORGED');
    expect(codeOf(good, { keys: { current: 'k2', keys: { k2: randomBytes(32) } } })).toBe(
      'SECKILL_ERR_TOKEN_KEY_UNKNOWN',
    );
    const proto = mintToken({ current: 'toString', keys: { toString: randomBytes(32) } }, wish);
    expect(codeOf(proto)).toBe('SECKILL_ERR_TOKEN_KEY_UNKNOWN');
  });

  it('with a shifted border between two fields is another token', () => {
    // Without the lengths, "k1" + "shop…" and "k" + "1shop…" would be signed alike.
    const a = mintToken(
      { current: 'k1', keys: { k1: Buffer.alloc(32, 1) } },
      { ...wish, eventId: 'a.b.1', nonce: Buffer.alloc(16) },
    );
    const b = mintToken(
      { current: 'k', keys: { k: Buffer.alloc(32, 1) } },
      { ...wish, eventId: '1a.b.1', nonce: Buffer.alloc(16) },
    );
    expect(Buffer.from(a, 'base64url').subarray(-32)).not.toEqual(Buffer.from(b, 'base64url').subarray(-32));
  });
});

describe('a good token', () => {
  it('signed by the former key is still accepted', () => {
    expect(codeOf(mintToken({ ...keys, current: 'k0' }, wish))).toBe('ok');
  });

  it.each([
    ['shop/phone-x', 'ok'],
    ['shop/phone', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['shop/phone-xx', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['sho/phone-x', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['shop/phone-y', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['shop.phone-x/1', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['shop.phone-x', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
    ['', 'SECKILL_ERR_TOKEN_OTHER_EVENT'],
  ])('at %s is %s', (eventKey, code) => {
    expect(codeOf(good, { eventKey })).toBe(code);
  });

  it('is good from not-before to expiry, and the stated tolerance of the clocks beyond both', () => {
    const { notBeforeMs, expiresMs } = wish;
    expect(codeOf(good, { nowMs: notBeforeMs - TOKEN_CLOCK_TOLERANCE_MS - 1 })).toBe('SECKILL_ERR_TOKEN_TOO_EARLY');
    expect(codeOf(good, { nowMs: notBeforeMs - TOKEN_CLOCK_TOLERANCE_MS })).toBe('ok');
    expect(codeOf(good, { nowMs: expiresMs + TOKEN_CLOCK_TOLERANCE_MS - 1 })).toBe('ok');
    expect(codeOf(good, { nowMs: expiresMs + TOKEN_CLOCK_TOLERANCE_MS })).toBe('SECKILL_ERR_TOKEN_EXPIRED');
  });

  it('that has expired still says whose it was, so that he may read what is his', () => {
    const late = verifyToken(keys, good, { nowMs: nowMs + 1e9, eventKey: 'shop/phone-x' });
    expect(late).toMatchObject({ ok: false, code: 'SECKILL_ERR_TOKEN_EXPIRED', token: { buyer: 'b-1' } });
    const forged = verifyToken(keys, mintToken({ current: 'k1', keys: { k1: randomBytes(32) } }, wish), { nowMs });
    expect(forged.token).toBeUndefined();
  });
});
