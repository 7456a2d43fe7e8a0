import { POOL_LABEL, poolNameOf } from '../pool-names.ts';
import type { PoolSettings } from '../pool-settings.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

/** The release's rules for the pods of this pool. A direction without rules stays open. */
export function networkPolicy(
  identity: PoolIdentity,
  { ingress, egress }: NonNullable<PoolSettings['networkPolicy']>,
): PoolObject {
  return poolObject('networking.k8s.io/v1', 'NetworkPolicy', identity, {
    spec: {
      podSelector: { matchLabels: { [POOL_LABEL]: poolNameOf(identity.event) } },
      policyTypes: [...(ingress === undefined ? [] : ['Ingress']), ...(egress === undefined ? [] : ['Egress'])],
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    },
  });
}
