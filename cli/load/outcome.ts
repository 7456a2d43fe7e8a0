import type { ErrorCode } from '../../services/domain/errors.ts';
import { RETRY_AFTER_MAX_MS } from './limits.ts';

/**
 * What became of a buyer's attempt.
 * - `held`: told that the units are his. `soldOut`, `limitExceeded`: told so.
 * - `refused`: another definite no (not open, closed, paused, a bad token or request).
 * - `unknown`: gave up without a definite answer, after a request that may have taken units.
 * - `failed`: gave up, and no request of his can have taken anything (never connected, or turned away each time).
 */
export const OUTCOMES = ['held', 'soldOut', 'limitExceeded', 'refused', 'unknown', 'failed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What came back for one request: an HTTP answer, or none. */
export type Answer =
  | { kind: 'http'; status: number; body: string; retryAfter: string | undefined }
  | { kind: 'missing' /** whether the request may have left this machine */; sent: boolean; reason: string };

/** A definite outcome, or that the buyer should ask again; then whether the request may have taken units. */
export type Verdict =
  | { kind: 'final'; outcome: 'held'; reservationId: string; units: number; reason: string }
  | { kind: 'final'; outcome: 'soldOut' | 'limitExceeded' | 'refused'; reason: string }
  | { kind: 'again'; mayBeTaken: boolean; waitMs: number | undefined; reason: string };

/** Answers by which the platform says itself that this request took nothing, and another may do better. */
const NOTHING_TAKEN: ReadonlySet<string> = new Set<ErrorCode>([
  'SECKILL_ERR_NOT_READY',
  'SECKILL_ERR_LATE',
  'SECKILL_ERR_OVERLOADED',
  'SECKILL_ERR_UNAVAILABLE',
  'SECKILL_ERR_EVENT_UNKNOWN',
]);

/** Definite although the status says 5xx: a paused sale is a decision, not a fault. */
const PAUSED: ErrorCode = 'SECKILL_ERR_PAUSED';
/** Not known yet, or just forgotten: whoever has a token for it knows that there is such an event. */
const EVENT_UNKNOWN: ErrorCode = 'SECKILL_ERR_EVENT_UNKNOWN';
const SOLD_OUT: ErrorCode = 'SECKILL_ERR_SOLD_OUT';
const LIMIT_EXCEEDED: ErrorCode = 'SECKILL_ERR_LIMIT_EXCEEDED';

/** Why a buyer asks again after a 202: a pod had no answer of Redis in time, or the edge none of a pod. */
export const UNKNOWN_OUTCOME = 'unknown outcome (202)';
const LOST = 'lost by the edge (202)';

export function judge(answer: Answer): Verdict {
  if (answer.kind === 'missing') {
    return { kind: 'again', mayBeTaken: answer.sent, waitMs: undefined, reason: answer.reason };
  }
  const { status } = answer;
  const body = readBody(answer.body);
  const waitMs = readRetryAfter(answer.retryAfter);
  if (status === 201 || status === 200) return judgeReservation(body);
  if (status === 202) {
    // Only a pod knows the reservation: an edge that lost its answer on the way cannot say where to look.
    const reason = body['statusUrl'] === undefined ? LOST : UNKNOWN_OUTCOME;
    return { kind: 'again', mayBeTaken: true, waitMs, reason };
  }
  const code = typeof body['code'] === 'string' ? body['code'] : undefined;
  const reason = code ?? `HTTP ${status}`;
  if (code === SOLD_OUT) return { kind: 'final', outcome: 'soldOut', reason };
  if (code === LIMIT_EXCEEDED) return { kind: 'final', outcome: 'limitExceeded', reason };
  if (code === PAUSED) return { kind: 'final', outcome: 'refused', reason };
  if (status === 429) return { kind: 'again', mayBeTaken: false, waitMs, reason };
  if (status >= 400 && status < 500 && code !== EVENT_UNKNOWN) return { kind: 'final', outcome: 'refused', reason };
  return { kind: 'again', mayBeTaken: code === undefined || !NOTHING_TAKEN.has(code), waitMs, reason };
}

function judgeReservation(body: Record<string, unknown>): Verdict {
  const { reservationId, units, state } = body;
  if (typeof reservationId !== 'string' || typeof units !== 'number') {
    return { kind: 'again', mayBeTaken: true, waitMs: undefined, reason: 'an answer that cannot be read' };
  }
  // A repeat that hears of an ended reservation has no units: its order was voided or given back meanwhile.
  if (state === 'released') return { kind: 'final', outcome: 'refused', reason: 'reservation released' };
  return { kind: 'final', outcome: 'held', reservationId, units, reason: 'held' };
}

function readBody(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Retry-After in whole seconds; a date, which the platform never sends, counts as none. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,6}$/.test(value)) return undefined;
  return Math.min(Number(value) * 1_000, RETRY_AFTER_MAX_MS);
}
