import { POOL_LABEL, poolNameOf } from '../pool-names.ts';
import type { PoolSettings } from '../pool-settings.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

/** Pods that are broken anyway never keep a node from being drained. */
export function disruptionBudget(
  identity: PoolIdentity,
  { maxUnavailable }: PoolSettings['podDisruptionBudget'],
): PoolObject {
  return poolObject('policy/v1', 'PodDisruptionBudget', identity, {
    spec: {
      maxUnavailable,
      selector: { matchLabels: { [POOL_LABEL]: poolNameOf(identity.event) } },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
}
