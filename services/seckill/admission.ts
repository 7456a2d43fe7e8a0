import type { RegistryEntry } from '../../lua/registry.ts';
import { type AdmissionToken, reservationIdOf, type TokenKeys, verifyToken } from '../domain/admission-token.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Clock } from '../kit/clock.ts';
import type { RegistryView } from './registry-view.ts';

export interface AdmissionDeps {
  registry: RegistryView;
  tokens: { current(): TokenKeys };
  clock: Clock;
}

export type Admission =
  | { ok: true; entry: RegistryEntry; token: AdmissionToken; reservationId: string }
  | { ok: false; code: ErrorCode };

const BEARER = /^bearer +/i;

/**
 * Whom the request is from and which sale it is for. Whoever only reads his own may do so with an expired token. Nobody gets further without a token for this very edition of this
 * event; Redis is not asked for any of it.
 */
export function admit(
  { registry, tokens, clock }: AdmissionDeps,
  eventKey: string,
  authorization: string | undefined,
  { acceptExpired = false }: { acceptExpired?: boolean } = {},
): Admission {
  const scheme = authorization === undefined ? null : BEARER.exec(authorization);
  if (authorization === undefined || scheme === null) return { ok: false, code: 'SECKILL_ERR_TOKEN_MISSING' };
  const verified = verifyToken(tokens.current(), authorization.slice(scheme[0].length), {
    nowMs: clock.nowMs(),
    eventKey,
  });
  const expired = !verified.ok && verified.code === 'SECKILL_ERR_TOKEN_EXPIRED';
  if (!verified.ok && !(expired && acceptExpired)) return verified;
  const { token } = verified;
  if (token === undefined) return { ok: false, code: 'SECKILL_ERR_TOKEN_MALFORMED' };
  const entry = registry.find(eventKey);
  if (entry === undefined) {
    return { ok: false, code: registry.known() ? 'SECKILL_ERR_EVENT_UNKNOWN' : 'SECKILL_ERR_NOT_READY' };
  }
  if (token.eventId !== entry.eventId) return { ok: false, code: 'SECKILL_ERR_TOKEN_OTHER_EVENT' };
  return { ok: true, entry, token, reservationId: reservationIdOf(token.nonce) };
}
