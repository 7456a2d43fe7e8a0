import type { EventKey } from '../../api/seckill-event.ts';
import type { KubeObject } from './client.ts';
import { makeOf } from './objects/anchor.ts';
import { poolHost } from './pool-names.ts';
import { eventOf } from './pool-view.ts';

/** What the edge asks every second: `HOST:PORT` of the pool that serves an event. */
export interface RouteTable {
  events: Record<EventKey, string>;
}

/** A pool that is being taken away stays in it until it is gone: its last pods still answer. */
export function routeTable(
  anchors: readonly (KubeObject & { data?: Record<string, string> })[],
  clusterDomain: string,
): RouteTable {
  const events: RouteTable['events'] = {};
  for (const anchor of anchors) {
    const event = eventOf(anchor);
    const port = makeOf(anchor)?.port;
    if (event === undefined || port === undefined) continue;
    events[event] = `${poolHost(anchor.metadata.name, anchor.metadata.namespace ?? '', clusterDomain)}:${port}`;
  }
  return { events };
}
