import { bucketOf } from '../../lua/keys.ts';
import { type ErrorCode, isSeckillError } from '../domain/errors.ts';
import type { Http } from '../kit/http.ts';
import { problemResponses, sendProblem } from '../kit/problem.ts';
import { type AdmissionDeps, admit } from './admission.ts';
import { LOOKUPS_IN_FLIGHT_MAX, NOT_READY_RETRY_AFTER_SECONDS, OVERLOADED_RETRY_AFTER_SECONDS } from './limits.ts';
import { reservationBody } from './purchase-route.ts';
import { type SaleStock, stockRefOf } from './sale-stock.ts';
import { ReservationBody, ReservationParams } from './schemas.ts';

export interface ReservationDeps extends AdmissionDeps {
  stock: Pick<SaleStock, 'lookup'>;
}

const CODES = [
  'SECKILL_ERR_REQUEST_INVALID',
  'SECKILL_ERR_TOKEN_MISSING',
  'SECKILL_ERR_TOKEN_MALFORMED',
  'SECKILL_ERR_TOKEN_KEY_UNKNOWN',
  'SECKILL_ERR_TOKEN_FORGED',
  'SECKILL_ERR_TOKEN_TOO_EARLY',
  'SECKILL_ERR_TOKEN_OTHER_EVENT',
  'SECKILL_ERR_EVENT_UNKNOWN',
  'SECKILL_ERR_RESERVATION_UNKNOWN',
  'SECKILL_ERR_NOT_READY',
  'SECKILL_ERR_OVERLOADED',
  'SECKILL_ERR_UNAVAILABLE',
  'SECKILL_ERR_INTERNAL',
] as const satisfies readonly ErrorCode[];

const schema = {
  operationId: 'getReservation',
  summary: "Read one's own reservation",
  description: 'With the token that made it; an expired one will do.',
  security: [{ admissionToken: [] }],
  params: ReservationParams,
  response: { 200: ReservationBody, ...problemResponses(CODES) },
};

const RETRY = { retryAfterSeconds: NOT_READY_RETRY_AFTER_SECONDS };

/** `GET /v1/events/{namespace}/{name}/reservations/{id}`: only its buyer may read it, and reads what Redis knows. */
export function addReservationRoute(http: Http, deps: ReservationDeps): void {
  let lookupsInFlight = 0;
  http.get('/v1/events/:namespace/:name/reservations/:id', { schema }, async (request, reply) => {
    const { namespace, name, id } = request.params as { namespace: string; name: string; id: string };
    const admission = admit(deps, `${namespace}/${name}`, request.headers.authorization, { acceptExpired: true });
    if (!admission.ok) {
      return sendProblem(reply, admission.code, admission.code === 'SECKILL_ERR_NOT_READY' ? RETRY : {});
    }
    const { entry, token, reservationId } = admission;
    // Someone else's and nobody's reservation look alike: ids are not to be guessed.
    if (reservationId !== id) return sendProblem(reply, 'SECKILL_ERR_RESERVATION_UNKNOWN');
    const ref = stockRefOf(entry, bucketOf(token.buyer, entry.buckets));
    if (ref === undefined) return sendProblem(reply, 'SECKILL_ERR_NOT_READY', RETRY);
    if (lookupsInFlight >= LOOKUPS_IN_FLIGHT_MAX) {
      return sendProblem(reply, 'SECKILL_ERR_OVERLOADED', { retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS });
    }
    lookupsInFlight += 1;
    const found = await deps.stock
      .lookup(ref, [id])
      .catch((error: unknown) => {
        if (isSeckillError(error, 'SECKILL_ERR_REDIS_UNKNOWN')) return { status: 'unavailable' as const };
        throw error;
      })
      .finally(() => {
        lookupsInFlight -= 1;
      });
    if (found.status === 'unavailable') return sendProblem(reply, 'SECKILL_ERR_UNAVAILABLE', RETRY);
    if (found.status === 'not-ready') return sendProblem(reply, 'SECKILL_ERR_NOT_READY', RETRY);
    const reservation = found.reservations[0];
    if (reservation?.state === 'malformed') return sendProblem(reply, 'SECKILL_ERR_INTERNAL', RETRY);
    if (reservation === undefined || reservation.buyer !== token.buyer) {
      return sendProblem(reply, 'SECKILL_ERR_RESERVATION_UNKNOWN');
    }
    reply.header('cache-control', 'no-store');
    return reply.send(reservationBody(entry, reservation, reservation.state));
  });
}
