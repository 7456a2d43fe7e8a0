import type {
  V1ConfigMap,
  V1Deployment,
  V1NetworkPolicy,
  V1Pod,
  V1PodDisruptionBudget,
  V1Service,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { Log } from '../../../services/kit/log.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import { canonicalJson } from './applied-hash.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { createInformer, type Informer } from './informer.ts';
import { POOL_LABEL, poolSelector } from './pool-names.ts';
import { isAtCeiling, isReady } from './pool-problems.ts';

type Kept<T> = KubeObject & Pick<T, Exclude<keyof T, 'apiVersion' | 'kind' | 'metadata'>>;

/** The kinds of a pool, by the word that is used for them here. */
export interface PoolKinds {
  ConfigMap: Kept<V1ConfigMap>;
  Service: Kept<V1Service>;
  NetworkPolicy: Kept<V1NetworkPolicy>;
  Deployment: Kept<V1Deployment>;
  HorizontalPodAutoscaler: Kept<V2HorizontalPodAutoscaler>;
  PodDisruptionBudget: Kept<V1PodDisruptionBudget>;
  Pod: Kept<V1Pod>;
}

export type PoolKind = keyof PoolKinds;

const API_VERSIONS: Record<PoolKind, string> = {
  ConfigMap: 'v1',
  Service: 'v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  Deployment: 'apps/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  PodDisruptionBudget: 'policy/v1',
  Pod: 'v1',
};
/** What an anchor owns. */
export const OWNED_KINDS = [
  'Service',
  'NetworkPolicy',
  'Deployment',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
] as const satisfies readonly PoolKind[];

/** All objects of all pools of a release, as the API server told them last. */
export interface PoolView {
  start(): Promise<void>;
  synced(): boolean;
  /** Why some kind has not been seen yet: until then nothing is known of what is there. */
  blind(): string | undefined;
  /** Why what is seen may be out of date, a sentence for each kind. */
  problems(): string[];
  get<K extends PoolKind>(kind: K, pool: string): PoolKinds[K] | undefined;
  pods(pool: string): PoolKinds['Pod'][];
  /** `undefined`: they have not been seen yet. */
  anchors(): PoolKinds['ConfigMap'][] | undefined;
  /** The events of all objects that are there, also of those whose anchor is gone. */
  events(): Set<EventKey>;
  /** Tells the event whose pool changed in something that matters here. */
  onChange(listener: (event: EventKey) => void): () => void;
  /** What the server answered to our own write counts at once. */
  learn(object: KubeObject): void;
  stop(): Promise<void>;
}

export function refOfPool(kind: PoolKind, namespace: string, pool: string) {
  return { apiVersion: API_VERSIONS[kind], kind, namespace, name: pool };
}

export function createPoolView(options: {
  client: KubeClient;
  namespace: string;
  release: string;
  log: Log;
}): PoolView {
  const { client, namespace, release, log } = options;
  const labelSelector = Object.entries(poolSelector(release))
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
  const informer = <K extends PoolKind>(kind: K): Informer<PoolKinds[K]> =>
    createInformer<PoolKinds[K]>({
      ...{ client, log, namespace, labelSelector, keepManagers: kind !== 'Pod' },
      kind: { apiVersion: API_VERSIONS[kind], kind },
    });
  const informers: { [K in PoolKind]: Informer<PoolKinds[K]> } = {
    ConfigMap: informer('ConfigMap'),
    Service: informer('Service'),
    NetworkPolicy: informer('NetworkPolicy'),
    Deployment: informer('Deployment'),
    HorizontalPodAutoscaler: informer('HorizontalPodAutoscaler'),
    PodDisruptionBudget: informer('PodDisruptionBudget'),
    Pod: informer('Pod'),
  };
  const all = Object.values(informers) as Informer<KubeObject>[];

  return {
    async start() {
      await Promise.all(all.map((one) => one.start()));
    },
    synced: () => all.every((one) => one.synced()),
    blind: () => all.find((one) => !one.synced())?.problem(),
    problems: () => all.flatMap((one) => one.problem() ?? []),
    get: (kind, pool) => informers[kind].get(namespace, pool),
    pods: (pool) => informers.Pod.list().filter(({ metadata }) => metadata.labels?.[POOL_LABEL] === pool),
    anchors: () => (informers.ConfigMap.synced() ? informers.ConfigMap.list() : undefined),
    events: () => new Set(all.flatMap((one) => one.list().flatMap((object) => eventOf(object) ?? []))),
    onChange(listener) {
      const stops = all.map((one) =>
        one.onChange(({ type, object, before }) => {
          const event = eventOf(object);
          if (event === undefined) return;
          // A resync tells every object as it was; what was acted upon in vain is looked at again then.
          const same =
            type === 'changed' && before !== undefined && before !== object && matter(before) === matter(object);
          if (!same) listener(event);
        }),
      );
      return () => {
        for (const stop of stops) stop();
      };
    },
    learn: (object) => informers[object.kind as PoolKind].learn(object as never),
    async stop() {
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}

/** Labels, since pods have no annotation of ours. */
export function eventOf({ metadata: { labels = {} } }: KubeObject): EventKey | undefined {
  const [namespace, name] = [labels['seckill.io/event-namespace'], labels['seckill.io/event-name']];
  return namespace === undefined || name === undefined ? undefined : `${namespace}/${name}`;
}

/** What of an object matters here: controllers write their status far more often than it says anything new. */
function matter(object: KubeObject): string {
  const { uid, labels, annotations, ownerReferences, deletionTimestamp, managedFields } = object.metadata;
  const owners = (managedFields as { manager?: string; fieldsV1?: object }[] | undefined)?.map((entry) =>
    entry.manager?.startsWith('kube-') ? entry.manager : [entry.manager, entry.fieldsV1],
  );
  const { spec, data } = object as { spec?: object; data?: object };
  return canonicalJson([
    uid,
    labels,
    annotations,
    ownerReferences,
    deletionTimestamp,
    spec,
    data,
    owners,
    seen(object),
  ]);
}

function seen(object: KubeObject): unknown {
  switch (object.kind as PoolKind) {
    case 'Pod': {
      const { status } = object as PoolKinds['Pod'];
      const waits = status?.containerStatuses?.map(({ state }) => state?.waiting?.reason);
      return [
        isReady(object as PoolKinds['Pod']),
        status?.phase,
        waits,
        status?.conditions?.map(({ reason }) => reason),
      ];
    }
    case 'Deployment': {
      const { status } = object as PoolKinds['Deployment'];
      return status?.conditions?.filter(({ type }) => type === 'ReplicaFailure').map(({ message }) => message);
    }
    case 'HorizontalPodAutoscaler':
      return isAtCeiling(object as PoolKinds['HorizontalPodAutoscaler']);
    default:
      return undefined;
  }
}
