import { Client } from 'undici';
import { ANSWER_BODY_MAX_BYTES, ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS, CONNECTION_IDLE_MS } from './limits.ts';
import type { Answer } from './outcome.ts';

/** One HTTP request; header names and values alternate. */
export interface OutgoingRequest {
  method: 'GET' | 'POST';
  path: string;
  headers: string[];
  body: Buffer | null;
}

/** One request and its answer. */
export interface Exchange {
  /** Called when a connection takes it. */
  request(): OutgoingRequest;
  /** Called once, with what came back, or why nothing did. */
  onAnswer(answer: Answer): void;
}

/** A fixed number of keep-alive connections to one origin. What finds them all busy waits in line, first come first. */
export interface Connections {
  send(exchange: Exchange): void;
  /** Opens every connection by a GET of this path; answers how many answered. */
  warm(path: string): Promise<number>;
  /** Breaks off what is under way: each request gets its `missing` answer. */
  close(): Promise<void>;
}

const STOPPED: Answer = { kind: 'missing', sent: false, reason: 'the generator stopped' };

interface Line {
  send(exchange: Exchange): void;
  close(): Promise<void>;
}

export function createConnections(options: { url: string; count: number; answerTimeoutMs?: number }): Connections {
  const answerTimeoutMs = options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  const waiting = createQueue<Exchange>();
  const idle: Line[] = [];
  let closed = false;

  function release(line: Line): void {
    const next = waiting.shift();
    if (next === undefined) idle.push(line);
    else line.send(next);
  }

  const lines = Array.from({ length: options.count }, () => createLine(options.url, answerTimeoutMs, release));
  idle.push(...lines);

  function send(exchange: Exchange): void {
    const line = closed ? undefined : idle.pop();
    if (line !== undefined) line.send(exchange);
    else if (!closed) waiting.push(exchange);
    else exchange.onAnswer(STOPPED);
  }

  async function warm(path: string): Promise<number> {
    const request: OutgoingRequest = { method: 'GET', path, headers: [], body: null };
    const answers = lines.map(
      () => new Promise<Answer>((resolve) => send({ request: () => request, onAnswer: resolve })),
    );
    return (await Promise.all(answers)).filter((answer) => answer.kind === 'http').length;
  }

  async function close(): Promise<void> {
    closed = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next.onAnswer(STOPPED);
    }
    await Promise.all(lines.map((line) => line.close()));
  }

  return { send, warm, close };
}

/** One connection. The handler is one object for all its requests: at this rate a closure for each shows in the CPU. */
function createLine(url: string, answerTimeoutMs: number, release: (line: Line) => void): Line {
  const client = new Client(url, {
    pipelining: 1,
    allowH2: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    keepAliveTimeout: CONNECTION_IDLE_MS,
    keepAliveMaxTimeout: CONNECTION_IDLE_MS,
    maxResponseSize: ANSWER_BODY_MAX_BYTES,
  });
  let current: Exchange | undefined;
  let sent = false;
  let status = 0;
  let retryAfter: string | undefined;
  let body = '';

  /** Answers whether there was a request to finish: then the line is to be released. */
  function finish(answer: Answer): boolean {
    const done = current;
    if (done === undefined) return false;
    current = undefined;
    done.onAnswer(answer);
    return true;
  }

  const handler = {
    onRequestStart: () => {
      sent = true;
    },
    onResponseStart: (
      _controller: unknown,
      statusCode: number,
      headers: Record<string, string | string[] | undefined>,
    ) => {
      status = statusCode;
      const value = headers['retry-after'];
      retryAfter = typeof value === 'string' ? value : undefined;
    },
    // Everything that is read from an answer is ASCII; latin1 keeps a multi-byte character that two chunks share harmless.
    onResponseData: (_controller: unknown, chunk: Buffer) => {
      body += chunk.toString('latin1');
    },
    onResponseEnd: () => {
      if (finish({ kind: 'http', status, body, retryAfter })) release(line);
    },
    onResponseError: (_controller: unknown, error: Error) => {
      // The client is telling all its requests of the error, and must not be given another one until it has done so.
      if (finish({ kind: 'missing', sent, reason: reasonOf(error) })) setImmediate(release, line);
    },
  };

  const line: Line = {
    send: (next) => {
      current = next;
      sent = false;
      status = 0;
      retryAfter = undefined;
      body = '';
      client.dispatch(next.request(), handler);
    },
    close: () => client.destroy(new Error('the generator stopped')),
  };
  return line;
}

function reasonOf(error: Error & { code?: string }): string {
  return error.code ?? error.message;
}

/** A queue whose head moves: `Array.shift` copies the rest, which hurts when a burst of thousands stands in line. */
function createQueue<T>(): { push(item: T): void; shift(): T | undefined } {
  let items: T[] = [];
  let head = 0;
  return {
    push: (item) => {
      items.push(item);
    },
    shift: () => {
      if (head === items.length) return undefined;
      const item = items[head] as T;
      head += 1;
      if (head > 1_024 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
}
