import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { RouteTable } from './route-table.ts';

export interface RoutesInput {
  /** `undefined`: nobody has told of events yet, so that none of them may be called unknown. */
  table: RouteTable | undefined;
  /** `HOST:PORT` of the service that tells of orders. */
  orders: string;
  addressesOf(host: string): readonly string[];
  leaving: boolean;
}

/** The text that nginx follows: see `EdgeOptions.routesFile`. */
export function routesText({ table, orders, addressesOf, leaving }: RoutesInput): string {
  const peersOf = (target: string): string[] => {
    const { host, port } = splitTarget(target);
    return addressesOf(host).map((address) => (isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`));
  };
  const events = Object.entries(table ?? {}).map(([event, target]) => [event, peersOf(target)] as const);
  return JSON.stringify({
    events: Object.fromEntries(events.sort(([a], [b]) => (a < b ? -1 : 1))),
    orders: peersOf(orders),
    ...(table === undefined ? { any: [] } : {}),
    ...(leaving ? { leaving: 'yes' } : {}),
  });
}

export function splitTarget(target: string): { host: string; port: string } {
  const colon = target.lastIndexOf(':');
  return { host: target.slice(0, colon).replace(/^\[|\]$/g, ''), port: target.slice(colon + 1) };
}

/** Replaces a file as a whole: a reader sees the former text or this one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
