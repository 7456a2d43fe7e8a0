import type { DesiredWorkload } from '../../platform.ts';
import type { PoolSettings } from '../pool-settings.ts';
import type { PoolMake } from './anchor.ts';
import { autoscaler } from './autoscaler.ts';
import { deployment } from './deployment.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { networkPolicy } from './network-policy.ts';
import type { PoolIdentity, PoolObject } from './pool-object.ts';
import { service } from './service.ts';

/** All that the anchor of a pool owns, in the order in which it is made: the name answers before the first pod is up. */
export function poolObjects(
  identity: PoolIdentity,
  desired: DesiredWorkload,
  settings: PoolSettings,
  make: PoolMake,
): PoolObject[] {
  return [
    service(identity, make.port),
    ...(settings.networkPolicy === undefined ? [] : [networkPolicy(identity, settings.networkPolicy)]),
    deployment(identity, make.podTemplate),
    autoscaler(identity, desired),
    disruptionBudget(identity, settings.podDisruptionBudget),
  ];
}
