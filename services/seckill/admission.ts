import type { RegistryEntry } from '../../lua/registry.ts';
import type { AdmissionToken, TokenKeys } from '../domain/admission-token.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { readBearer } from '../kit/bearer.ts';
import type { Clock } from '../kit/clock.ts';
import type { Tally } from '../kit/metrics/series.ts';
import type { RegistryView } from './registry-view.ts';

export interface AdmissionDeps {
  registry: RegistryView;
  tokens: { current(): TokenKeys };
  clock: Clock;
  /** Counts what became of the tokens. */
  verifications: Tally;
}

export type Admission =
  | { ok: true; entry: RegistryEntry; token: AdmissionToken; reservationId: string }
  | { ok: false; code: ErrorCode };

/**
 * Whom the request is from and which sale it is for. Whoever only reads his own may do so with an expired token. Nobody
 * gets further without a token for this very edition of this event; Redis is not asked for any of it.
 */
export function admit(
  { registry, tokens, clock, verifications }: AdmissionDeps,
  eventKey: string,
  authorization: string | undefined,
  { acceptExpired = false }: { acceptExpired?: boolean } = {},
): Admission {
  const bearer = readBearer(authorization, tokens.current(), { nowMs: clock.nowMs(), eventKey, acceptExpired });
  verifications.add(bearer.ok ? 'ok' : bearer.code);
  if (!bearer.ok) return bearer;
  const { token, reservationId } = bearer;
  const entry = registry.find(eventKey);
  if (entry === undefined) {
    return { ok: false, code: registry.known() ? 'SECKILL_ERR_EVENT_UNKNOWN' : 'SECKILL_ERR_NOT_READY' };
  }
  if (token.eventId !== entry.eventId) return { ok: false, code: 'SECKILL_ERR_TOKEN_OTHER_EVENT' };
  return { ok: true, entry, token, reservationId };
}
