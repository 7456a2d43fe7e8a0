import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import { POOL_LABEL, poolLabels, poolNameOf } from '../pool-names.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

/** Replica sets that are kept for `kubectl rollout undo`. */
const REVISIONS_KEPT = 2;

/**
 * Never names `replicas`: they are written once, after the creation, and belong to the autoscaler from then on. A pod
 * goes only when its successor is ready.
 */
export function deployment(identity: PoolIdentity, podTemplate: V1PodTemplateSpec): PoolObject {
  const pool = poolNameOf(identity.event);
  return poolObject('apps/v1', 'Deployment', identity, {
    spec: {
      selector: { matchLabels: { [POOL_LABEL]: pool } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      revisionHistoryLimit: REVISIONS_KEPT,
      template: poolTemplate(identity, podTemplate),
    },
  });
}

/** The release's template with the labels of the pool, and pods spread within it. */
function poolTemplate({ event, release }: PoolIdentity, { metadata, spec }: V1PodTemplateSpec): V1PodTemplateSpec {
  const labelSelector = { matchLabels: { [POOL_LABEL]: poolNameOf(event) } };
  const spread = spec?.topologySpreadConstraints?.map((constraint) => ({ ...constraint, labelSelector }));
  return {
    metadata: { ...metadata, labels: { ...metadata?.labels, ...poolLabels(event, release) } },
    spec: {
      ...spec,
      containers: spec?.containers ?? [],
      ...(spread === undefined ? {} : { topologySpreadConstraints: spread }),
    },
  };
}
