import type { Redis } from 'ioredis';

/** Asks for sections of INFO in one command, and reads its `name:value` lines. Headings begin with `#`. */
export async function readInfo(redis: Redis, sections: readonly string[]): Promise<Map<string, string>> {
  const text = String(await redis.call('INFO', [...sections]));
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
