import { setTimeout as delay } from 'node:timers/promises';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaCompiler,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { ERRORS, type ErrorCode, isSeckillError } from '../domain/errors.ts';
import type { Health } from './health.ts';
import {
  DEFAULT_BODY_LIMIT_BYTES,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  STOP_ANNOUNCE_MS,
} from './limits.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { Problem, sendProblem } from './problem.ts';
import { createRequestMeter } from './request-meter.ts';

/** A Fastify server whose schemas are TypeBox's. */
export type Http = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface HttpOptions {
  log: Log;
  metrics: Metrics;
  health: Health;
  bodyLimitBytes?: number;
}

/**
 * The HTTP server of a process: strict schemas, every error a problem document of the one table, and the probes.
 * Requests are not logged one by one: an expected refusal is a counter, and only what should not happen is a line.
 */
export function createHttp({ log, metrics, health, bodyLimitBytes = DEFAULT_BODY_LIMIT_BYTES }: HttpOptions): Http {
  let lastRequest = 0;
  const app = fastify({
    // Without a logger there is no child logger to make for each request.
    logger: false,
    genReqId: () => {
      lastRequest += 1;
      return String(lastRequest);
    },
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    // While it closes, the server still finishes what came; `closeGently` says how it leaves.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    frameworkErrors: (error, request, reply) => answerError(log, error, request, reply as FastifyReply),
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorateReply('answer', '');
  countRequests(app, metrics);
  app.setValidatorCompiler(compileValidator);
  app.addSchema(Problem);
  app.setErrorHandler<FastifyError>((error, request, reply) => answerError(log, error, request, reply));
  addProbes(app, metrics, health);
  return app;
}

/** Checks without converting: `"1"` is not a number, and parameters and headers are texts anyway. */
const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const check = Compile(schema);
  return (value: unknown) => (check.Check(value) ? { value } : { error: check.Errors(value) as never });
};

/** Every route of the API is metered under its operation's name; probes are nobody's requests. */
function countRequests(app: Http, metrics: Metrics): void {
  const meter = createRequestMeter(metrics);
  app.addHook('onRoute', (route) => {
    const { operationId } = (route.schema ?? {}) as { operationId?: string };
    // What a route of ours answers to HEAD is a GET's.
    if (operationId === undefined || route.method === 'HEAD') return;
    const count = meter.of(operationId);
    route.onResponse = (_request, reply, done) => {
      count(reply);
      done();
    };
  });
  // Most processes never hear of one: its series come with the first.
  let unknown: ReturnType<typeof meter.of> | undefined;
  app.setNotFoundHandler((_request, reply) => {
    void sendProblem(reply, 'SECKILL_ERR_ROUTE_UNKNOWN');
    unknown ??= meter.of('unknown');
    unknown(reply);
  });
}

function addProbes(app: Http, metrics: Metrics, health: Health): void {
  const hidden = { schema: { hide: true } } as object;
  app.get('/healthz', hidden, (_request, reply) => reply.code(health.live() ? 200 : 503).send({ live: health.live() }));
  app.get('/readyz', hidden, (_request, reply) => {
    const { ready, reasons } = health.ready();
    return reply.code(ready ? 200 : 503).send({ ready, reasons });
  });
  app.get('/metrics', hidden, async (_request, reply) =>
    reply.header('content-type', metrics.contentType).send(await metrics.text()),
  );
}

const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_VALIDATION: 'SECKILL_ERR_REQUEST_INVALID',
  FST_ERR_CTP_BODY_TOO_LARGE: 'SECKILL_ERR_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'SECKILL_ERR_MEDIA_TYPE',
  FST_ERR_BAD_URL: 'SECKILL_ERR_ROUTE_UNKNOWN',
  FST_ERR_MAX_PARAM_LENGTH: 'SECKILL_ERR_ROUTE_UNKNOWN',
};

function answerError(log: Log, error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (isSeckillError(error)) {
    if (ERRORS[error.code].status < 500) return sendProblem(reply, error.code, { detail: error.message });
    log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
    return sendProblem(reply, error.code, ERRORS[error.code].retryable ? { retryAfterSeconds: 1 } : {});
  }
  const known = FRAMEWORK_CODES[error.code];
  if (known === 'SECKILL_ERR_REQUEST_INVALID') return answerInvalid(error, reply);
  if (known !== undefined) return sendProblem(reply, known);
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return sendProblem(reply, 'SECKILL_ERR_REQUEST_INVALID', { detail: `${error.message}.`.replace(/\.\.$/, '.') });
  }
  log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
  return sendProblem(reply, 'SECKILL_ERR_INTERNAL', { retryAfterSeconds: 1 });
}

/** Names each field that does not fit, as `body/units`, with what is expected of it. */
function answerInvalid(error: FastifyError, reply: FastifyReply): FastifyReply {
  const part = error.validationContext ?? 'request';
  const errors = (error.validation ?? []).flatMap(({ instancePath, message, params }) => {
    const missing = (params as { requiredProperties?: string[] }).requiredProperties;
    if (missing === undefined) return [{ field: `${part}${instancePath}`, message: message ?? 'does not fit' }];
    return missing.map((name) => ({ field: `${part}${instancePath}/${name}`, message: 'is missing' }));
  });
  const detail = errors.map(({ field, message }) => `${field} ${message}`).join('; ');
  return sendProblem(reply, 'SECKILL_ERR_REQUEST_INVALID', { detail: `${detail}.`, errors });
}

/**
 * Takes a server away without failing a request: it says "not ready" and asks its connections to go, stays for
 * `announceMs` so that balancers notice, then refuses new connections and finishes what it has.
 */
export async function closeGently(app: Http, health: Health, announceMs: number = STOP_ANNOUNCE_MS): Promise<void> {
  health.setReady('process', false, 'the process is stopping');
  app.server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  await delay(announceMs);
  await app.close();
}
