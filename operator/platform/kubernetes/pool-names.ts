import { createHash } from 'node:crypto';
import type { EventKey } from '../../api/seckill-event.ts';

/** The one field manager of everything that the operator applies. */
export const FIELD_MANAGER = 'seckill-operator';

/** Labels by which people, selectors and we find what belongs to a pool. */
export const POOL_LABEL = 'seckill.io/pool';
export const EVENT_ANNOTATION = 'seckill.io/event';
/** Of what an object was last made; when it differs from what would be made now, the object is applied again. */
export const APPLIED_ANNOTATION = 'seckill.io/applied';

const NAME_HASH_HEX_CHARS = 10;

/**
 * The name of every object of an event's pool. Events of all namespaces meet in the release's one: the hash keeps
 * namesakes apart, the event's own name (at most 40 characters) keeps it readable; 63 are never exceeded.
 */
export function poolNameOf(event: EventKey): string {
  const hash = createHash('sha256').update(event).digest('hex').slice(0, NAME_HASH_HEX_CHARS);
  return `ske-${hash}-${event.slice(event.indexOf('/') + 1)}`;
}

/** `NAMESPACE.NAME`, as the reconciler calls a pool, is the key of its event: neither part can have a dot. */
export function eventOfWorkload(name: string): EventKey {
  return name.replace('.', '/');
}

/** What all pools of a release have in common, and nothing else has. */
export function poolSelector(release: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'seckill',
    'app.kubernetes.io/component': 'pool',
    'app.kubernetes.io/instance': release,
  };
}

export function poolLabels(event: EventKey, release: string): Record<string, string> {
  const [namespace = '', name = ''] = event.split('/');
  return {
    ...poolSelector(release),
    'seckill.io/event-namespace': namespace,
    'seckill.io/event-name': name,
    [POOL_LABEL]: poolNameOf(event),
  };
}

/** The host part of a pool's address inside of the cluster. */
export function poolHost(pool: string, namespace: string, clusterDomain: string): string {
  return `${pool}.${namespace}.svc.${clusterDomain}`;
}
