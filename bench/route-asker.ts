import { randomUUID } from 'node:crypto';
import { mintToken } from '../services/domain/admission-token.ts';
import { readTokenKeys } from '../services/kit/token-keys.ts';
import { closedLoop, type LoopResult } from './closed-loop.ts';

/** What the process that asks is told: mint tokens, then ask with them. Tokens are used once unless `repeat`. */
export interface AskerTask {
  keysFile: string;
  port: number;
  eventId: string;
  /** `namespace/name` */
  eventKey: string;
  endMs: number;
  tokens: number;
  repeat: boolean;
  connections: number;
  durationMs: number;
}

export type AskerReport = { kind: 'minted' } | { kind: 'done'; result: LoopResult };
export type AskerOrder = { kind: 'mint'; task: AskerTask } | { kind: 'go' };

const minted = new Map<string, string[]>();
let task: AskerTask | undefined;
let requests: string[] = [];

// A process of its own, on the core that the measured server does not have.
process.on('message', (order: AskerOrder) => {
  if (order.kind === 'mint') {
    task = order.task;
    requests = task.repeat ? repeated(task) : mint(task);
    process.send?.({ kind: 'minted' } satisfies AskerReport);
  } else void ask();
});
process.on('disconnect', () => process.exit());

/** The same tokens each time: minting them anew would only take time. */
function repeated(wanted: AskerTask): string[] {
  const known = minted.get(wanted.eventId) ?? mint(wanted);
  minted.set(wanted.eventId, known);
  return known;
}

function mint({ keysFile, eventId, eventKey, endMs, tokens }: AskerTask): string[] {
  const keys = readTokenKeys(keysFile);
  const notBeforeMs = Date.now() - 1_000;
  return Array.from({ length: tokens }, () => {
    const token = mintToken(keys, { eventId, buyer: `b-${randomUUID()}`, notBeforeMs, expiresMs: endMs });
    return [
      `POST /v1/events/${eventKey}/reservations HTTP/1.1`,
      'host: 127.0.0.1',
      `authorization: Bearer ${token}`,
      'content-type: application/json',
      'content-length: 11',
      '',
      '{"units":1}',
    ].join('\r\n');
  });
}

async function ask(): Promise<void> {
  if (task === undefined) return;
  const { port, connections, durationMs, repeat } = task;
  let index = 0;
  const next = (): string | undefined => {
    const request = requests[index];
    index += 1;
    if (repeat && index === requests.length) index = 0;
    return request;
  };
  const result = await closedLoop({ port, connections, durationMs, next });
  process.send?.({ kind: 'done', result } satisfies AskerReport);
}
