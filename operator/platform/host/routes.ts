import type { ProcessRecord } from './process-record.ts';

/**
 * What the edge re-reads: which pods serve an event, which processes tell of orders. Only ready ones are in it, so
 * that a stopping pod leaves it before it hears of its end.
 */
export interface Routes {
  events: Record<string, string[]>;
  orders: string[];
  any: string[];
}

export function routesOf(records: readonly ProcessRecord[]): Routes {
  const ready = records.filter((record) => record.ready && record.state === 'running');
  const events: Record<string, string[]> = {};
  for (const { role, serves, port } of ready) {
    if (role !== 'seckill' || serves === undefined) continue;
    events[serves] = [...(events[serves] ?? []), addressOf(port)];
  }
  const portsOf = (role: string) => ready.filter((record) => record.role === role).map(({ port }) => addressOf(port));
  return { events, orders: portsOf('order'), any: portsOf('seckill') };
}

const addressOf = (port: number): string => `127.0.0.1:${port}`;
