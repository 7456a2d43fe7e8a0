import { connect } from 'node:net';

/** What a closed loop saw. */
export interface LoopResult {
  requests: number;
  elapsedMs: number;
  /** Answers by HTTP status. */
  statuses: Record<string, number>;
}

export interface LoopOptions {
  port: number;
  connections: number;
  durationMs: number;
  /** The next whole HTTP request, or `undefined` when there are no more: the loop ends then. */
  next(): string | undefined;
}

/*
 * As many requests as the server takes: each connection sends its next request as soon as it has its answer. Nothing is
 * made of an answer but its status and its end. An HTTP client that does more costs more than the server that it asks.
 */
export async function closedLoop({ port, connections, durationMs, next }: LoopOptions): Promise<LoopResult> {
  const statuses: Record<string, number> = {};
  const beganMs = performance.now();
  const endMs = beganMs + durationMs;
  const line = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let text = '';
      const ask = (): void => {
        const request = performance.now() < endMs ? next() : undefined;
        if (request === undefined) socket.end();
        else socket.write(request, 'latin1');
      };
      socket.on('connect', ask);
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        const head = text.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1]);
        if (text.length < head + 4 + length) return;
        const status = text.slice(9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        text = '';
        ask();
      });
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
  await Promise.all(Array.from({ length: connections }, line));
  const requests = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  return { requests, elapsedMs: performance.now() - beganMs, statuses };
}
