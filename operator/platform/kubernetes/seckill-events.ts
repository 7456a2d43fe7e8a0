import { checkManifest } from '../../api/check-manifest.ts';
import {
  API_VERSION,
  type EventKey,
  KIND,
  type ObjectMeta,
  type RefusedEvent,
  type SeckillEvent,
} from '../../api/seckill-event.ts';
import type { SeckillEventStatus } from '../../api/status.ts';
import type { KubeMetadata, KubeObject } from './client.ts';
import type { ObjectRef } from './kinds.ts';

/** A SeckillEvent as the API keeps it. What its spec holds is only known after it was checked. */
export interface SeckillEventObject extends KubeObject {
  spec?: unknown;
  status?: SeckillEventStatus;
}

export const SECKILL_EVENT = { apiVersion: API_VERSION, kind: KIND };

export function keyOf({ metadata }: KubeObject): EventKey {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export function eventRef(key: EventKey): ObjectRef {
  const [namespace = '', name = ''] = key.split('/');
  return { ...SECKILL_EVENT, namespace, name };
}

/**
 * The event with all defaults. A spec that another release's CRD let through, and this one would not, comes back as
 * sentences that say what is wrong with it.
 */
export function readEvent({ metadata, spec, status }: SeckillEventObject): SeckillEvent | RefusedEvent {
  const { name, namespace = '' } = metadata;
  const checked = checkManifest({ ...SECKILL_EVENT, metadata: { name, namespace }, spec });
  const seen = { metadata: metaOf(metadata), ...(status === undefined ? {} : { status }) };
  if (!checked.ok) return { ...seen, problems: checked.problems.map(({ message }) => message) };
  return { ...seen, spec: checked.event.spec };
}

function metaOf(metadata: KubeMetadata): ObjectMeta {
  const { name, namespace = '', uid = '', generation = 0, creationTimestamp = '', deletionTimestamp } = metadata;
  const { labels = {}, annotations = {}, finalizers = [] } = metadata;
  return {
    ...{ name, namespace, uid, generation, labels, annotations, finalizers },
    createdMs: Date.parse(creationTimestamp),
    ...(deletionTimestamp === undefined ? {} : { deletionMs: Date.parse(deletionTimestamp) }),
  };
}
