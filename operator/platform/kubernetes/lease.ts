import type { Clock } from '../../../services/kit/clock.ts';
import type { LeaseRecord, LeaseStore } from '../platform.ts';
import type { KubeClient, KubeObject } from './client.ts';

/** Lease objects know no count of renewals; it stands beside their times. */
const RENEWALS_ANNOTATION = 'seckill.io/renewals';

interface LeaseObject extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    leaseTransitions?: number;
    /** RFC 3339 with microseconds: for people, nobody compares them. */
    acquireTime?: string;
    renewTime?: string;
  };
}

/**
 * The leader's record as a `coordination.k8s.io` Lease, so that the usual tools show it. Its resourceVersion is the
 * version: the API server compares and sets.
 */
export function createKubernetesLease(options: {
  client: KubeClient;
  namespace: string;
  name: string;
  clock: Clock;
}): LeaseStore {
  const { client, namespace, name, clock } = options;
  const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  /** When the lease began to be held by the one whom we last wrote. */
  let acquired: { holder: string; transitions: number; time: string } | undefined;

  function objectOf(record: LeaseRecord, version: string | undefined): LeaseObject {
    const { holder, transitions, renewals, durationMs } = record;
    const now = new Date(clock.nowMs()).toISOString().replace('Z', '000Z');
    if (acquired?.holder !== holder || acquired.transitions !== transitions)
      acquired = { holder, transitions, time: now };
    return {
      ...kind,
      metadata: {
        ...{ namespace, name, annotations: { [RENEWALS_ANNOTATION]: String(renewals) } },
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
      spec: {
        // An empty name is no valid holder: a lease that was given back has none.
        ...(holder === '' ? {} : { holderIdentity: holder, acquireTime: acquired.time }),
        leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1_000)),
        ...{ leaseTransitions: transitions, renewTime: now },
      },
    };
  }

  return {
    async read() {
      const lease = await client.get<LeaseObject>({ ...kind, namespace, name });
      if (lease === undefined) return undefined;
      const { holderIdentity = '', leaseDurationSeconds = 0, leaseTransitions = 0 } = lease.spec ?? {};
      const record = {
        holder: holderIdentity,
        renewals: Number(lease.metadata.annotations?.[RENEWALS_ANNOTATION] ?? 0),
        durationMs: leaseDurationSeconds * 1_000,
        transitions: leaseTransitions,
      };
      return { version: lease.metadata.resourceVersion ?? '', record };
    },
    async write(record, version) {
      const object = objectOf(record, version);
      const answer = await (version === undefined ? client.create(object) : client.replace(object));
      return typeof answer === 'string' ? undefined : answer.metadata.resourceVersion;
    },
  };
}
