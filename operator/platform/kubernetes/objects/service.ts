import { POOL_LABEL, poolNameOf } from '../pool-names.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

/** Headless: its name answers with the addresses of ready pods, among which the edge chooses by itself. */
export function service(identity: PoolIdentity, port: number): PoolObject {
  return poolObject('v1', 'Service', identity, {
    spec: {
      clusterIP: 'None',
      selector: { [POOL_LABEL]: poolNameOf(identity.event) },
      ports: [{ name: 'http', port, protocol: 'TCP', targetPort: port }],
    },
  });
}
