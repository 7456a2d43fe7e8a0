import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import type { KubeConnection } from './connection.ts';
import { KubeError } from './kube-error.ts';
import { ERROR_TEXT_MAX_CHARS, THROTTLED_RETRIES_MAX, THROTTLED_WAIT_MAX_MS, WATCH_LINE_MAX_CHARS } from './limits.ts';

/** The verbs of RBAC: what a Role must grant for a call. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Call {
  verb: Verb;
  method: Dispatcher.HttpMethod;
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
  /** `apps`; empty for the core group. */
  group: string;
  /** `deployments`, `seckillevents/status`. */
  resource: string;
  /** For messages: `apply deployments shop/phone-x`. */
  what: string;
}

export interface RequestCount {
  verb: Verb;
  group: string;
  resource: string;
  count: number;
}

export interface Transport {
  /** The body of a success; everything else is a KubeError. */
  call<T>(call: Call): Promise<T>;
  /** Resolves when the watch is open: its lines, as objects, until the server ends it or `signal` is aborted. */
  stream(call: Call, signal: AbortSignal): Promise<AsyncIterable<unknown>>;
  requests(): RequestCount[];
  /** Tells that the server answers again, after calls had no answer: since when (by `performance.now()`) they had none. */
  onRecovered(listener: (sinceMs: number) => void): () => void;
  /** Somebody else found that the server answers again, after it had not since then. */
  recovered(sinceMs: number): void;
}

/** The server's own word on a failure: a `Status` object. */
interface StatusBody {
  code?: number;
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number };
}

export function createTransport(connection: KubeConnection, { timeoutMs }: { timeoutMs: number }): Transport {
  const counts = new Map<string, RequestCount>();
  const listeners = new Set<(sinceMs: number) => void>();
  /** When the first call was sent that had no answer. */
  let troubledSinceMs: number | undefined;
  /** When a call was sent that has its answer, on the connections that are used now. */
  let workedAtMs = Number.NEGATIVE_INFINITY;

  function count({ verb, group, resource }: Call): void {
    const key = `${verb} ${group}/${resource}`;
    const known = counts.get(key) ?? { verb, group, resource, count: 0 };
    known.count += 1;
    counts.set(key, known);
  }

  /** A server that is starting or ending, or a balancer before it, answers 502 to 504: that is trouble as well. */
  function noteAnswer(status: number, sentAtMs: number): void {
    const away = status >= 502 && status <= 504;
    if (away) troubledSinceMs ??= sentAtMs;
    if (troubledSinceMs === undefined || away) return;
    const sinceMs = troubledSinceMs;
    troubledSinceMs = undefined;
    tell(sinceMs);
  }

  /** Later, so that whoever asked has its answer before he is told. */
  function tell(sinceMs: number): void {
    setImmediate(() => {
      for (const listener of listeners) listener(sinceMs);
    });
  }

  /**
   * Of connections of which one is dead without a word the others are likely to be, too: trying them in turn would cost
   * a timeout each. `sentAtMs` is when the call was sent that had no answer.
   */
  function renewUnlessWorking(sentAtMs: number, former: 'end' | 'fail'): void {
    if (workedAtMs >= sentAtMs) return;
    connection.renew(former);
    workedAtMs = performance.now();
  }

  async function send(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const url = new URL(`${connection.server}${call.path}`);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const sentAtMs = performance.now();
    try {
      const { headers, dispatcher, watches } = await connection.credentials();
      count(call);
      const answer = await request(url, {
        method: call.method,
        dispatcher: call.verb === 'watch' ? watches : dispatcher,
        signal,
        headersTimeout: timeoutMs,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
      });
      if (call.verb !== 'watch') workedAtMs = Math.max(workedAtMs, sentAtMs);
      noteAnswer(answer.statusCode, sentAtMs);
      if (answer.statusCode === 401) await connection.credentials(true);
      return answer;
    } catch (error) {
      throw unreachable(call, error, sentAtMs);
    }
  }

  async function* linesOf(call: Call, body: Dispatcher.ResponseData['body']): AsyncGenerator<unknown> {
    try {
      yield* parseLines(body.setEncoding('utf8'));
    } catch (error) {
      throw unreachable(call, error, performance.now());
    } finally {
      body.destroy();
    }
  }

  function unreachable(call: Call, error: unknown, sinceMs: number): unknown {
    if (error instanceof KubeError) return error;
    // Whoever aborts a watch has his reasons; they say nothing of the server.
    if (!(error instanceof Error && error.name === 'AbortError')) troubledSinceMs ??= sinceMs;
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    // The others may be answered yet: a server that is slow is no dead connection.
    if (timedOut) renewUnlessWorking(sinceMs, 'end');
    const reason = timedOut ? 'Timeout' : codeOf(error);
    const message = timedOut ? `no answer within ${timeoutMs} ms` : messageOf(error);
    return new KubeError(call.what, { status: 0, reason, message }, { cause: error });
  }

  async function once<T>(call: Call): Promise<T> {
    const sentAtMs = performance.now();
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await send(call, signal);
    try {
      if (answer.statusCode < 300) return (await answer.body.json()) as T;
      throw await failureOf(call.what, answer);
    } catch (error) {
      throw unreachable(call, error, sentAtMs);
    }
  }

  return {
    async call(call) {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await once(call);
        } catch (error) {
          const throttled = error instanceof KubeError && error.failure === 'throttled';
          if (!throttled || attempt >= THROTTLED_RETRIES_MAX) throw error;
          await delay(Math.min(error.retryAfterMs ?? 0, THROTTLED_WAIT_MAX_MS));
        }
      }
    },
    async stream(call, signal) {
      const answer = await send(call, signal);
      if (answer.statusCode >= 300) throw await failureOf(call.what, answer);
      return linesOf(call, answer.body);
    },
    requests: () => [...counts.values()].map((one) => ({ ...one })),
    onRecovered(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    recovered(sinceMs) {
      renewUnlessWorking(sinceMs, 'fail');
      tell(sinceMs);
    },
  };
}

async function* parseLines(chunks: AsyncIterable<string>): AsyncGenerator<unknown> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > WATCH_LINE_MAX_CHARS) throw new Error(`a line of the watch exceeds ${WATCH_LINE_MAX_CHARS}`);
    for (const line of lines) if (line !== '') yield JSON.parse(line);
  }
}

async function failureOf(what: string, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<KubeError> {
  const text = await body.text();
  const status = parseStatus(text);
  const after = status.details?.retryAfterSeconds ?? Number(headers['retry-after']);
  return new KubeError(what, {
    status: statusCode,
    reason: status.reason ?? 'Unknown',
    message: status.message ?? text.trim().slice(0, ERROR_TEXT_MAX_CHARS),
    retryAfterMs: Number.isFinite(after) ? after * 1_000 : undefined,
  });
}

function parseStatus(text: string): StatusBody {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    // A proxy on the way, or a server that is just starting, answers in plain words.
    return {};
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'Unreachable';
}

function messageOf(error: unknown): string {
  // A refused connection to a name with several addresses is an AggregateError without a message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
