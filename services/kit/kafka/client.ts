import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Kafka, type LogEntry, logLevel, type RetryOptions, type SASLOptions } from 'kafkajs';
import type { Log } from '../log.ts';
import { CONNECTION_TIMEOUT_MS, LOG_REPEAT_MS, LOG_SENTENCES_MAX, RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts';
import type { KafkaOptions } from './port.ts';

export interface ClientOptions extends KafkaOptions {
  requestTimeoutMs: number;
  retriesMax: number;
}

/**
 * A client of the library. Everything that sends, consumes or asks gets a client of its own: consumers of one client
 * share a table of committed offsets, and one of them joining would empty it for the others.
 */
export function createClient({ tls, sasl, log, ...options }: ClientOptions): Kafka {
  const { brokers, clientId, requestTimeoutMs, retriesMax } = options;
  guardIdleTimer();
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(tls === undefined ? {} : { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: retryOptions(retriesMax),
    logLevel: logLevel.INFO,
    logCreator: () => routeOf(log),
  });
}

/** The library's type names each mechanism with options of its own. */
function saslOf({ mechanism, username, password }: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  const user = { username, password };
  if (mechanism === 'plain') return { mechanism, ...user };
  return mechanism === 'scram-sha-256' ? { mechanism, ...user } : { mechanism, ...user };
}

export function retryOptions(retries: number): RetryOptions {
  return { initialRetryTime: RETRY_FIRST_MS, maxRetryTime: RETRY_LONGEST_MS, retries };
}

interface RequestQueue {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

const guarded = Symbol.for('seckill.kafka.idle-timer-guarded');

/**
 * The library looks for waiting requests by a timer that starts itself again for ever, each millisecond, also when
 * nothing waits: 5-7 % of a core for an idle client. Guarded, the timer starts only when a request waits: every way to
 * make one wait ends in this function.
 */
function guardIdleTimer(): void {
  const queue: unknown = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js');
  assert(typeof queue === 'function', 'kafkajs has moved its request queue: look at the idle timer again');
  const prototype = queue.prototype as RequestQueue & { [guarded]?: true };
  if (prototype[guarded]) return;
  const schedule: unknown = prototype.scheduleCheckPendingRequests;
  assert(
    typeof schedule === 'function' && /this\.throttleCheckTimeoutId = setTimeout\(/.test(String(schedule)),
    'kafkajs has changed its request queue: look at the idle timer again',
  );
  prototype.scheduleCheckPendingRequests = function scheduleWhenWaiting(this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
  prototype[guarded] = true;
}

const routes = new WeakMap<Log, (entry: LogEntry) => void>();

/** One route a log: every attempt is a new client, and would say everything for the first time. */
function routeOf(log: Log): (entry: LogEntry) => void {
  const known = routes.get(log) ?? routeLog(log);
  routes.set(log, known);
  return known;
}

/**
 * The library calls rebalances and every lost connection errors; for us they are weather. What really went wrong is
 * reported by whoever asked for it. The same sentence is said once in a while only: an outage repeats it each second.
 */
function routeLog(log: Log): (entry: LogEntry) => void {
  const saidAtMs = new Map<string, number>();
  return ({ level, namespace, log: { message, timestamp: _, logger: __, stack: ___, ...fields } }) => {
    if (level !== logLevel.ERROR && level !== logLevel.WARN) {
      log.debug({ namespace, detail: message, ...fields }, 'kafka client');
      return;
    }
    if (/rebalanc|re-joining|resync group/i.test(message)) {
      log.info({ namespace, detail: message }, 'kafka group changes');
      return;
    }
    const sentence = `${namespace}: ${message}`;
    const nowMs = performance.now();
    if (nowMs - (saidAtMs.get(sentence) ?? Number.NEGATIVE_INFINITY) < LOG_REPEAT_MS) return;
    if (saidAtMs.size >= LOG_SENTENCES_MAX) saidAtMs.clear();
    saidAtMs.set(sentence, nowMs);
    log.warn({ namespace, detail: message }, 'kafka client has trouble');
  };
}
