import { type Static, Type } from 'typebox';
import type { Orders } from '../../ledger/orders.ts';
import type { OrderRow } from '../../ledger/rows.ts';
import type { TokenKeys } from '../domain/admission-token.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { ORDER_STATES } from '../domain/order.ts';
import { isReservationId } from '../domain/reservation.ts';
import { readBearer } from '../kit/bearer.ts';
import type { Clock } from '../kit/clock.ts';
import type { Http } from '../kit/http.ts';
import { problemResponses, sendProblem } from '../kit/problem.ts';
import { ORDER_READS_MAX_IN_FLIGHT, ORDER_RETRY_AFTER_SECONDS } from './limits.ts';

export interface OrderRouteDeps {
  orders: Pick<Orders, 'get'>;
  tokens: { current(): TokenKeys };
  clock: Clock;
}

const OrderBody = Type.Object({
  orderId: Type.String({ description: "The reservation's id." }),
  eventId: Type.String(),
  units: Type.Integer(),
  state: Type.Enum([...ORDER_STATES]),
  amountMinor: Type.Integer({ description: 'Units times price, in minor units of the currency.' }),
  currency: Type.String(),
  createdAt: Type.String({ description: 'ISO 8601, the time of the ledger.' }),
});

const CODES = [
  'SECKILL_ERR_TOKEN_MISSING',
  'SECKILL_ERR_TOKEN_MALFORMED',
  'SECKILL_ERR_TOKEN_KEY_UNKNOWN',
  'SECKILL_ERR_TOKEN_FORGED',
  'SECKILL_ERR_TOKEN_TOO_EARLY',
  'SECKILL_ERR_ORDER_UNKNOWN',
  'SECKILL_ERR_OVERLOADED',
  'SECKILL_ERR_UNAVAILABLE',
  'SECKILL_ERR_INTERNAL',
] as const satisfies readonly ErrorCode[];

const schema = {
  operationId: 'getOrder',
  summary: "Read one's own order",
  description: 'With an admission token of the same buyer for the same event; an expired one will do.',
  security: [{ admissionToken: [] }],
  params: Type.Object({ id: Type.String() }),
  response: { 200: OrderBody, ...problemResponses(CODES) },
};

/** `GET /v1/orders/{id}`. Another buyer's order, another event's and none at all look alike. */
export function addOrderRoute(http: Http, { orders, tokens, clock }: OrderRouteDeps): void {
  let inFlight = 0;

  async function read(id: string): Promise<OrderRow | 'overloaded' | undefined> {
    if (inFlight >= ORDER_READS_MAX_IN_FLIGHT) return 'overloaded';
    inFlight += 1;
    try {
      return await orders.get(id);
    } finally {
      inFlight -= 1;
    }
  }

  http.get('/v1/orders/:id', { schema }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const expected = { nowMs: clock.nowMs(), acceptExpired: true };
    const reader = readBearer(request.headers.authorization, tokens.current(), expected);
    if (!reader.ok) return sendProblem(reply, reader.code);
    const { id } = request.params as { id: string };
    const order = isReservationId(id) ? await read(id) : undefined;
    if (order === 'overloaded') {
      return sendProblem(reply, 'SECKILL_ERR_OVERLOADED', { retryAfterSeconds: ORDER_RETRY_AFTER_SECONDS });
    }
    if (order === undefined || order.buyer !== reader.token.buyer || order.eventId !== reader.token.eventId) {
      return sendProblem(reply, 'SECKILL_ERR_ORDER_UNKNOWN', { retryAfterSeconds: ORDER_RETRY_AFTER_SECONDS });
    }
    return reply.send(orderBody(order));
  });
}

function orderBody(order: OrderRow): Static<typeof OrderBody> {
  return {
    orderId: order.id,
    eventId: order.eventId,
    units: order.units,
    state: order.state,
    amountMinor: order.units * order.priceMinor,
    currency: order.currency,
    createdAt: new Date(order.createdMs).toISOString(),
  };
}
