import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { StoredNotice } from '../../operator/platform/host/notices.ts';
import type { KubeClient } from '../../operator/platform/kubernetes/client.ts';
import { isKubeError } from '../../operator/platform/kubernetes/kube-error.ts';
import type { NoticeObject } from '../../operator/platform/kubernetes/notices.ts';
import {
  eventRef,
  keyOf,
  readEvent,
  SECKILL_EVENT,
  type SeckillEventObject,
} from '../../operator/platform/kubernetes/seckill-events.ts';

/** Events of these namespaces, or of all when none is named, sorted. A cluster without the CRD has none. */
export async function listEvents(client: KubeClient, namespaces: readonly string[]): Promise<SeckillEventObject[]> {
  const selections =
    namespaces.length === 0 ? [SECKILL_EVENT] : namespaces.map((namespace) => ({ ...SECKILL_EVENT, namespace }));
  try {
    const lists = await Promise.all(selections.map((selection) => client.list<SeckillEventObject>(selection)));
    return lists.flatMap(({ items }) => items).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  } catch (error) {
    if (isKubeError(error, 'missing')) return [];
    throw error;
  }
}

/** Events and notices of a cluster in the words of a platform on this machine. */
export function clusterEvents(
  client: KubeClient,
  namespace: string | undefined,
): { list(): Promise<SeckillEvent[]>; notices(key: string): Promise<StoredNotice[]> } {
  const strange = new Set<string>();
  return {
    async list() {
      const objects = await listEvents(client, namespace === undefined ? [] : [namespace]);
      return objects.flatMap((object) => {
        const event = readEvent(object);
        if (!('problems' in event)) return [event];
        const sentence = `${keyOf(object)} is of another version: ${event.problems.join('; ')}`;
        if (!strange.has(sentence)) process.stderr.write(`seckill: ${sentence}\n`);
        strange.add(sentence);
        return [];
      });
    },
    async notices(key) {
      const { namespace: inside, name } = eventRef(key);
      const { items } = await client.list<NoticeObject>({ apiVersion: 'v1', kind: 'Event', namespace: inside });
      return items
        .filter(({ involvedObject }) => involvedObject.kind === SECKILL_EVENT.kind && involvedObject.name === name)
        .map(({ type, reason, message, lastTimestamp }) => {
          return { event: key, kind: type, reason, message, atMs: Date.parse(lastTimestamp) };
        })
        .sort((a, b) => a.atMs - b.atMs);
    },
  };
}
