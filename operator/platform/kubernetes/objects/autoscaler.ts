import type { DesiredWorkload } from '../../platform.ts';
import { poolNameOf } from '../pool-names.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

/** Pods may double so often; and go only when they have not been needed for so long. */
const SCALE_UP_PERIOD_SECONDS = 15;
const SCALE_UP_PERCENT = 100;
const SCALE_DOWN_STABLE_SECONDS = 300;

/** Owns the replicas between the floor, which the operator moves by the clock, and the ceiling. */
export function autoscaler(
  identity: PoolIdentity,
  { floor, ceiling, cpuUtilization }: Pick<DesiredWorkload, 'floor' | 'ceiling' | 'cpuUtilization'>,
): PoolObject {
  return poolObject('autoscaling/v2', 'HorizontalPodAutoscaler', identity, {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: poolNameOf(identity.event) },
      minReplicas: floor,
      maxReplicas: ceiling,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpuUtilization } },
        },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          selectPolicy: 'Max',
          policies: [{ type: 'Percent', value: SCALE_UP_PERCENT, periodSeconds: SCALE_UP_PERIOD_SECONDS }],
        },
        scaleDown: { stabilizationWindowSeconds: SCALE_DOWN_STABLE_SECONDS },
      },
    },
  });
}
