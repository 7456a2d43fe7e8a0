import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { request } from 'undici';
import { SeckillError } from '../services/domain/errors.ts';
import { eventKeyOf } from '../services/domain/event.ts';
import { ANSWER_MAX_MS } from './limits.ts';

const schema = Compile(
  Type.Object({ eventId: Type.String(), state: Type.String(), startTime: Type.String(), endTime: Type.String() }),
);

/** A sale as its own platform tells of it. */
export interface Sale {
  eventId: string;
  /** What an attempt would be told now. */
  state: string;
  startMs: number;
  endMs: number;
}

/** Asks `GET /v1/events/NAMESPACE/NAME`. Throws SECKILL_ERR_UNAVAILABLE or SECKILL_ERR_EVENT_UNKNOWN in words. */
export async function readSale(url: string, event: { namespace: string; name: string }): Promise<Sale> {
  const key = eventKeyOf(event);
  const answer = await ask(`${url}/v1/events/${key}`);
  if (answer.status === 404) {
    throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', `${url} knows no event ${key} (yet): see "seckill status".`);
  }
  if (answer.status !== 200 || !schema.Check(answer.body)) {
    throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `${url} answered ${answer.status} when asked about ${key}.`);
  }
  const { eventId, state, startTime, endTime } = answer.body;
  return { eventId, state, startMs: Date.parse(startTime), endMs: Date.parse(endTime) };
}

async function ask(url: string): Promise<{ status: number; body: unknown }> {
  try {
    const response = await request(url, { headersTimeout: ANSWER_MAX_MS, bodyTimeout: ANSWER_MAX_MS });
    const text = await response.body.text();
    return { status: response.statusCode, body: parse(text) };
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(url: string, cause: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_UNAVAILABLE', `${url} does not answer: is "seckill up" running?`, { cause });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
