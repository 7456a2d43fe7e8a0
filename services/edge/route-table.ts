import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { request } from 'undici';
import { EVENT_NAME_MAX_CHARS } from '../domain/limits.ts';
import { AGENT_LIMITS } from './limits.ts';

/** Which service serves an event: `NAMESPACE/NAME` → `HOST:PORT`. The operator tells it; an event not in it is unknown. */
export type RouteTable = Readonly<Record<string, string>>;

export const TARGET_PATTERN = '^([A-Za-z0-9._-]{1,253}|\\[[0-9A-Fa-f:.]{2,45}\\]):\\d{1,5}$';

const schema = Compile(
  Type.Object({
    events: Type.Record(
      Type.String({ pattern: `^[a-z0-9-]{1,63}/[a-z0-9-]{1,${EVENT_NAME_MAX_CHARS}}$` }),
      Type.String({ pattern: TARGET_PATTERN }),
    ),
  }),
);

/** Throws a sentence when the text is no table: half a table would make events unknown that are on sale. */
export function parseTable(text: string): RouteTable {
  const value: unknown = JSON.parse(text);
  if (!schema.Check(value)) throw new Error('this is no table of routes');
  return value.events;
}

/** Asks the operator once. Throws when it does not answer with a whole table in time. */
export async function askForTable(url: string): Promise<{ table: RouteTable; text: string }> {
  const { tableTimeoutMs, tableMaxBytes } = AGENT_LIMITS;
  const signal = AbortSignal.timeout(tableTimeoutMs);
  const { statusCode, body } = await request(url, { signal, headers: { accept: 'application/json' } });
  let size = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    size += (chunk as Buffer).length;
    if (size > tableMaxBytes) throw new Error(`the table of routes has more than ${tableMaxBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  if (statusCode !== 200) throw new Error(`the operator answers ${statusCode}`);
  const text = Buffer.concat(chunks).toString();
  return { table: parseTable(text), text };
}
