import type { FastifyReply } from 'fastify';
import type { Static } from 'typebox';
import { bucketOf } from '../../lua/keys.ts';
import type { RegistryEntry } from '../../lua/registry.ts';
import { ERRORS, type ErrorCode } from '../domain/errors.ts';
import { UNKNOWN_RETRY_AFTER_SECONDS } from '../domain/limits.ts';
import type { Attempt, ReservationState } from '../domain/reservation.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Http } from '../kit/http.ts';
import type { Metrics } from '../kit/metrics.ts';
import { type ProblemExtras, problemResponses, sendProblem } from '../kit/problem.ts';
import { type AdmissionDeps, admit } from './admission.ts';
import { createEventAnswers } from './event-answers.ts';
import type { Hints } from './hints.ts';
import { NOT_READY_RETRY_AFTER_SECONDS, OVERLOADED_RETRY_AFTER_SECONDS, PAUSED_RETRY_AFTER_SECONDS } from './limits.ts';
import type { AttemptOutcome, ReserveBatches } from './reserve-batches.ts';
import { EventParams, PurchaseBody, PurchaseHeaders, ReservationBody, UnknownBody } from './schemas.ts';
import { createTurn } from './turn.ts';

export interface PurchaseDeps extends AdmissionDeps {
  hints: Hints;
  batches: ReserveBatches;
  faults: Faults;
  metrics: Metrics;
}

const CODES = [
  'SECKILL_ERR_REQUEST_INVALID',
  'SECKILL_ERR_BODY_TOO_LARGE',
  'SECKILL_ERR_MEDIA_TYPE',
  'SECKILL_ERR_TOKEN_MISSING',
  'SECKILL_ERR_TOKEN_MALFORMED',
  'SECKILL_ERR_TOKEN_KEY_UNKNOWN',
  'SECKILL_ERR_TOKEN_FORGED',
  'SECKILL_ERR_TOKEN_TOO_EARLY',
  'SECKILL_ERR_TOKEN_EXPIRED',
  'SECKILL_ERR_TOKEN_OTHER_EVENT',
  'SECKILL_ERR_EVENT_UNKNOWN',
  'SECKILL_ERR_CONFLICT',
  'SECKILL_ERR_LIMIT_EXCEEDED',
  'SECKILL_ERR_SOLD_OUT',
  'SECKILL_ERR_NOT_OPEN',
  'SECKILL_ERR_CLOSED',
  'SECKILL_ERR_PAUSED',
  'SECKILL_ERR_NOT_READY',
  'SECKILL_ERR_LATE',
  'SECKILL_ERR_OVERLOADED',
  'SECKILL_ERR_INTERNAL',
] as const satisfies readonly ErrorCode[];

const schema = {
  operationId: 'reserve',
  summary: 'Try to buy',
  description: 'The same token asked again is the same reservation: it hears the first answer again.',
  security: [{ admissionToken: [] }],
  params: EventParams,
  headers: PurchaseHeaders,
  body: PurchaseBody,
  response: { 200: ReservationBody, 201: ReservationBody, 202: UnknownBody, ...problemResponses(CODES) },
};

/** Their counters are there before the first one, see event-answers.ts. */
const ANSWERS: readonly (readonly [answer: string, status: number])[] = [
  ['held', 201],
  ['unknown', 202],
  ...CODES.map((code) => [code, ERRORS[code].status] as const),
];

/** `POST /v1/events/{namespace}/{name}/reservations`: the way of a purchase. Everything here is on the hot path. */
export function addPurchaseRoute(http: Http, deps: PurchaseDeps): void {
  const { hints, batches, registry, faults, metrics } = deps;
  const answers = createEventAnswers({ metrics, registry });
  const hintHits = metrics.tally('hintHits').cell();
  const endOfTurn = createTurn();
  const requests = metrics.tally('requests');
  for (const [answer, status] of ANSWERS) requests.cell('reserve', answer, String(status));

  http.post('/v1/events/:namespace/:name/reservations', { schema }, async (request, reply) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    const eventKey = `${namespace}/${name}`;
    const admission = admit(deps, eventKey, request.headers.authorization);
    if (!admission.ok) return sendProblem(reply, admission.code, retryOf(admission.code));
    const { entry, token, reservationId } = admission;
    const attempt: Attempt = { reservationId, buyer: token.buyer, units: (request.body as { units: number }).units };
    const bucket = bucketOf(attempt.buyer, entry.buckets);

    const attemptNumber = request.headers['seckill-attempt'];
    if (attemptNumber === undefined || attemptNumber === '1') {
      const unitsLeft = hints.unitsLeft(entry, bucket);
      if (unitsLeft !== undefined && attempt.units > unitsLeft) {
        hintHits.count += 1;
        await endOfTurn();
        answers.add(eventKey, 'SECKILL_ERR_SOLD_OUT');
        return sendProblem(reply, 'SECKILL_ERR_SOLD_OUT', { unitsLeft });
      }
    }
    const outcome = await batches.submit(entry, bucket, attempt);
    faults.at('seckill.before-answer');
    const told = tell(reply, { outcome, entry, attempt, redisNowMs: registry.redisNowMs() });
    answers.add(eventKey, reply.answer);
    return told;
  });
}

interface Told {
  outcome: AttemptOutcome;
  entry: RegistryEntry;
  attempt: Attempt;
  redisNowMs: number;
}

function tell(reply: FastifyReply, { outcome, entry, attempt, redisNowMs }: Told): FastifyReply {
  switch (outcome.status) {
    case 'held':
      reply.answer = 'held';
      return reply.code(201).send(reservationBody(entry, attempt, 'held'));
    case 'exists':
      reply.answer = 'repeated';
      return reply.code(200).send(reservationBody(entry, attempt, outcome.state));
    case 'unknown':
      reply.answer = 'unknown';
      return tellUnknown(reply, entry, attempt.reservationId);
    case 'sold-out':
      return sendProblem(reply, 'SECKILL_ERR_SOLD_OUT', { unitsLeft: outcome.unitsLeft });
    case 'not-open':
      return sendProblem(reply, 'SECKILL_ERR_NOT_OPEN', {
        startTime: new Date(entry.startMs).toISOString(),
        retryAfterSeconds: Math.max(1, Math.ceil((entry.startMs - redisNowMs) / 1_000)),
      });
    default: {
      const code = CODE_OF[outcome.status];
      return sendProblem(reply, code, retryOf(code));
    }
  }
}

const CODE_OF = {
  conflict: 'SECKILL_ERR_CONFLICT',
  late: 'SECKILL_ERR_LATE',
  paused: 'SECKILL_ERR_PAUSED',
  closed: 'SECKILL_ERR_CLOSED',
  'limit-exceeded': 'SECKILL_ERR_LIMIT_EXCEEDED',
  'not-ready': 'SECKILL_ERR_NOT_READY',
  overloaded: 'SECKILL_ERR_OVERLOADED',
} as const satisfies Record<string, ErrorCode>;

const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  SECKILL_ERR_NOT_READY: NOT_READY_RETRY_AFTER_SECONDS,
  SECKILL_ERR_LATE: NOT_READY_RETRY_AFTER_SECONDS,
  SECKILL_ERR_OVERLOADED: OVERLOADED_RETRY_AFTER_SECONDS,
  SECKILL_ERR_PAUSED: PAUSED_RETRY_AFTER_SECONDS,
};

function retryOf(code: ErrorCode): ProblemExtras {
  return { retryAfterSeconds: RETRY_AFTER_SECONDS[code] };
}

/** Past the deadline that Redis was given, the same token's next attempt is answered definitely. */
function tellUnknown(reply: FastifyReply, entry: RegistryEntry, reservationId: string): FastifyReply {
  const statusUrl = `/v1/events/${entry.namespace}/${entry.name}/reservations/${reservationId}`;
  return reply
    .code(202)
    .header('retry-after', UNKNOWN_RETRY_AFTER_SECONDS)
    .header('location', statusUrl)
    .send({ status: 'unknown', retryAfterSeconds: UNKNOWN_RETRY_AFTER_SECONDS, statusUrl });
}

export function reservationBody(
  entry: RegistryEntry,
  attempt: Attempt,
  state: ReservationState,
): Static<typeof ReservationBody> {
  const { reservationId, units } = attempt;
  return { reservationId, eventId: entry.eventId, units, state, orderUrl: `/v1/orders/${reservationId}` };
}
