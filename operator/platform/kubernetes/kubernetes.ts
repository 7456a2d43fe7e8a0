import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { Platform } from '../platform.ts';
import { createKubeClient } from './client.ts';
import { createKubernetesEvents } from './events.ts';
import { createKubernetesLease } from './lease.ts';
import { LEASE_CALL_TIMEOUT_MS } from './limits.ts';
import { createKubernetesNotices } from './notices.ts';
import { FIELD_MANAGER } from './pool-names.ts';
import type { PoolSettings } from './pool-settings.ts';
import type { RouteTable } from './route-table.ts';
import type { RequestCount } from './transport.ts';
import { createKubernetesWorkloads } from './workloads.ts';

export interface KubernetesOptions {
  /** Absent: the service account of this pod. */
  kubeconfigFile?: string | undefined;
  /** The release's: pools and the lease live there. */
  namespace: string;
  /** Where events are looked after; empty: everywhere. */
  watchNamespaces: readonly string[];
  pool: () => PoolSettings;
  leaseName: string;
  /** This process, in notices. */
  instance: string;
  log: Log;
  clock: Clock;
  /** How often all events are looked at again, whatever the API server says. */
  resyncMs?: number;
}

export interface KubernetesPlatform extends Platform {
  /** Every replica serves it from what it sees, whether it leads or not. `undefined`: it has seen no pools yet. */
  routes(): RouteTable | undefined;
  /**
   * `ready`: everything has been seen once, so that this process could lead. A server that is away afterwards is no
   * reason to be restarted or left out: the routes stay as they are. Nor is a namespace that is refused to us while
   * others are not. `problems` says what is out of date.
   */
  health(): { ready: boolean; problems: string[]; lastEventAgeMs: number };
  /** Calls of the API since the start, by verb and resource. */
  requests(): RequestCount[];
}

/**
 * The platform of a cluster: SeckillEvents and pools as its API keeps them. Resolves at once; what is not seen yet says
 * so when it is asked, and comes when the API server, the CRD and the Role are there.
 */
export function createKubernetesPlatform(options: KubernetesOptions): KubernetesPlatform {
  const { kubeconfigFile, namespace, watchNamespaces, pool, leaseName, instance, log, clock, resyncMs } = options;
  const client = createKubeClient({ kubeconfigFile, fieldManager: FIELD_MANAGER, log });
  // On connections and with a patience of its own: what else is slow must not cost the leadership.
  const leaseClient = createKubeClient({
    ...{ kubeconfigFile, fieldManager: FIELD_MANAGER, log },
    timeoutMs: LEASE_CALL_TIMEOUT_MS,
  });
  // In a calm cluster nobody else calls: without its word a dead watch would be noticed by its long silence only.
  leaseClient.onRecovered(client.recovered);
  const events = createKubernetesEvents({
    ...{ client, watchNamespaces, log },
    ...(resyncMs === undefined ? {} : { resyncMs }),
    onInvalid: (event, problems) =>
      void notices.publish({ event, kind: 'Warning', reason: 'SpecInvalid', message: problems.join('; ') }),
  });
  const notices = createKubernetesNotices({ client, uidOf: events.uidOf, instance, clock, log });
  const workloads = createKubernetesWorkloads({ client, namespace, watchNamespaces, pool, log, clock });
  void events.start();
  void workloads.start();

  return {
    events,
    workloads,
    notices,
    lease: createKubernetesLease({ client: leaseClient, namespace, name: leaseName, clock }),
    routes: workloads.routes,
    health: () => ({
      ready: events.synced() && workloads.synced(),
      problems: [...events.problems(), ...workloads.problems()],
      lastEventAgeMs: events.lastEventAgeMs(),
    }),
    requests: () => merged([...client.requests(), ...leaseClient.requests()]),
    async close() {
      await Promise.all([events.close(), workloads.close()]);
      await Promise.all([client.close(), leaseClient.close()]);
    },
  };
}

function merged(counts: RequestCount[]): RequestCount[] {
  const sums = new Map<string, RequestCount>();
  for (const one of counts) {
    const key = `${one.verb} ${one.group}/${one.resource}`;
    sums.set(key, { ...one, count: one.count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}
