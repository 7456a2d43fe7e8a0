import type { Http } from '../kit/http.ts';
import { problemResponses, sendProblem } from '../kit/problem.ts';
import type { EventStates } from './event-state.ts';
import { EVENT_STATE_MAX_AGE_MS, NOT_READY_RETRY_AFTER_SECONDS } from './limits.ts';
import type { RegistryView } from './registry-view.ts';
import { EventBody, EventParams } from './schemas.ts';

export interface EventDeps {
  registry: RegistryView;
  states: EventStates;
}

const schema = {
  operationId: 'getEvent',
  summary: 'Read a sale',
  description: 'What an attempt would be told now, with window and price. Everybody may ask, and keep it for a second.',
  params: EventParams,
  response: {
    200: EventBody,
    ...problemResponses([
      'SECKILL_ERR_REQUEST_INVALID',
      'SECKILL_ERR_EVENT_UNKNOWN',
      'SECKILL_ERR_NOT_READY',
      'SECKILL_ERR_INTERNAL',
    ]),
  },
};

/** `GET /v1/events/{namespace}/{name}` */
export function addEventRoute(http: Http, { registry, states }: EventDeps): void {
  http.get('/v1/events/:namespace/:name', { schema }, async (request, reply) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    const entry = registry.find(`${namespace}/${name}`);
    if (entry === undefined) {
      if (registry.known()) return sendProblem(reply, 'SECKILL_ERR_EVENT_UNKNOWN');
      return sendProblem(reply, 'SECKILL_ERR_NOT_READY', { retryAfterSeconds: NOT_READY_RETRY_AFTER_SECONDS });
    }
    return reply.header('cache-control', `max-age=${EVENT_STATE_MAX_AGE_MS / 1_000}`).send({
      namespace: entry.namespace,
      name: entry.name,
      eventId: entry.eventId,
      ...(await states.stateOf(entry)),
      startTime: new Date(entry.startMs).toISOString(),
      endTime: new Date(entry.endMs).toISOString(),
      serverTime: new Date(registry.redisNowMs()).toISOString(),
      product: entry.product,
      unitsPerBuyer: entry.unitsPerBuyer,
    });
  });
}
