import { mintToken, type TokenKeys } from '../services/domain/admission-token.ts';
import { TOKEN_GRACE_AFTER_END_MS } from '../services/domain/limits.ts';

/** A buyer with his admission token: what `seckill token` prints a line of, and what the load generator plays. */
export interface Admitted {
  buyer: string;
  token: string;
}

/**
 * Tokens for a sale, valid from now until a grace after its end. Buyers are named by the prefix and a number, so that
 * two loads with different prefixes meet the sale as different crowds.
 */
export function admit(
  keys: TokenKeys,
  sale: { eventId: string; endMs: number },
  who: { count: number; nowMs: number } & ({ prefix: string } | { buyer: string }),
): Admitted[] {
  return Array.from({ length: who.count }, (_, index) => {
    const buyer = 'buyer' in who ? who.buyer : `${who.prefix}-${index + 1}`;
    const expiresMs = sale.endMs + TOKEN_GRACE_AFTER_END_MS;
    return { buyer, token: mintToken(keys, { eventId: sale.eventId, buyer, notBeforeMs: who.nowMs, expiresMs }) };
  });
}
