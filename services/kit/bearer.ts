import { type AdmissionToken, reservationIdOf, type TokenKeys, verifyToken } from '../domain/admission-token.ts';
import type { ErrorCode } from '../domain/errors.ts';

export type Bearer = { ok: true; token: AdmissionToken; reservationId: string } | { ok: false; code: ErrorCode };

const SCHEME = /^bearer +/i;

/**
 * The admission token of an `Authorization: Bearer TOKEN` header, verified. With `eventKey` (`NAMESPACE/NAME`) it must be
 * for that event. `acceptExpired` is for those who only read their own: a token that has expired still says who asks.
 */
export function readBearer(
  authorization: string | undefined,
  keys: TokenKeys,
  { acceptExpired, ...expected }: { nowMs: number; eventKey?: string; acceptExpired: boolean },
): Bearer {
  const scheme = SCHEME.exec(authorization ?? '');
  if (authorization === undefined || scheme === null) return { ok: false, code: 'SECKILL_ERR_TOKEN_MISSING' };
  const verified = verifyToken(keys, authorization.slice(scheme[0].length), expected);
  if (verified.ok) return verified;
  const { code, token } = verified;
  if (!acceptExpired || code !== 'SECKILL_ERR_TOKEN_EXPIRED' || token === undefined) return { ok: false, code };
  return { ok: true, token, reservationId: reservationIdOf(token.nonce) };
}
