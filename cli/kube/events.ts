import type { KubeClient } from '../../operator/platform/kubernetes/client.ts';
import { isKubeError } from '../../operator/platform/kubernetes/kube-error.ts';
import { SECKILL_EVENT, type SeckillEventObject } from '../../operator/platform/kubernetes/seckill-events.ts';

/** Events of these namespaces, or of all when none is named, sorted. A cluster without the CRD has none. */
export async function listEvents(client: KubeClient, namespaces: readonly string[]): Promise<SeckillEventObject[]> {
  const selections =
    namespaces.length === 0 ? [SECKILL_EVENT] : namespaces.map((namespace) => ({ ...SECKILL_EVENT, namespace }));
  try {
    const lists = await Promise.all(selections.map((selection) => client.list<SeckillEventObject>(selection)));
    return lists.flatMap(({ items }) => items).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  } catch (error) {
    if (isKubeError(error, 'missing')) return [];
    throw error;
  }
}

const nameOf = ({ metadata }: SeckillEventObject): string => `${metadata.namespace}/${metadata.name}`;
