import { pino } from 'pino';
import { expect } from 'vitest';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import { createKubeClient, type KubeClient, type KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { createKubernetesPlatform } from '../../operator/platform/kubernetes/kubernetes.ts';
import { FIELD_MANAGER, poolNameOf } from '../../operator/platform/kubernetes/pool-names.ts';
import type { PoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { ensureTokenSecret } from '../../operator/platform/kubernetes/token-secret.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { aStatus } from '../operator/manifests.ts';
import { keyOf, newManifest } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';

const PATIENT = { deadlineMs: 60_000, intervalMs: 50 };

export interface Life {
  /** The operator's: as who it calls, and where. */
  kubeconfigFile: string;
  namespace: string;
  leaseName: string;
  tokenSecret: string;
  settings: PoolSettings;
  /** The administrator. */
  admin: KubeClient;
  /** A namespace for the events. */
  shop: string;
  /** Takes an anchor away, and leaves what it owns. */
  orphan(name: string): Promise<unknown>;
}

/**
 * Does once whatever the operator does with the API in the life of two pools, the second of which loses its anchor.
 * Answers the verb and resource of every call.
 */
export async function liveOnce(life: Life): Promise<string[]> {
  const { kubeconfigFile, namespace, leaseName, admin, shop } = life;
  let settings = life.settings;
  const log = pino({ level: 'silent' });
  const platform = createKubernetesPlatform({
    ...{ kubeconfigFile, namespace, watchNamespaces: [], pool: () => settings, leaseName },
    ...{ instance: 'operator-0', log, clock: systemClock },
  });
  const client = createKubeClient({ kubeconfigFile, fieldManager: FIELD_MANAGER, log });
  try {
    const { lease, events, workloads, notices } = platform;
    const record = { holder: 'operator-0', renewals: 0, durationMs: 15_000, transitions: 0 };
    const version = await lease.write(record, undefined);
    expect(await lease.read()).toMatchObject({ record: { holder: 'operator-0' } });
    await lease.write({ ...record, renewals: 1 }, version);

    const [first, second] = [newManifest({ 'metadata.namespace': shop }), newManifest({ 'metadata.namespace': shop })];
    for (const manifest of [first, second]) await admin.apply(manifest as unknown as KubeObject);
    await eventually(() => platform.health().ready, PATIENT);
    await workloads.lead(true);
    const pool = async (manifest: Manifest) => {
      const key = keyOf(manifest);
      const event = await eventually(
        async () => (await events.get(key)) ?? Promise.reject(new Error(`no ${key}`)),
        PATIENT,
      );
      await events.setFinalizer(key, event.metadata.uid, true);
      await events.putStatus(key, event.metadata.uid, aStatus());
      await notices.publish({ event: key, kind: 'Normal', reason: 'Preheating', message: 'The preheat begins.' });
      const desired = {
        ...{ name: key.replace('/', '.'), role: 'seckill' as const, event: key, floor: 2, ceiling: 4 },
        ...{ drainSeconds: 30, cpuUtilization: 60, updates: 'now' as const },
      };
      await workloads.apply(desired);
      return { key, uid: event.metadata.uid, desired };
    };
    const [one, other] = [await pool(first), await pool(second)];

    await life.orphan(poolNameOf(other.key));
    await gone(workloads, other.desired.name);
    settings = withoutPolicy(settings);
    await workloads.apply(one.desired);
    await gone(workloads, one.desired.name);
    for (const { key, uid } of [one, other]) await events.setFinalizer(key, uid, false);

    expect(await ensureTokenSecret(client, { namespace, name: life.tokenSecret })).toBe('made');
    return [...platform.requests(), ...client.requests()].map(
      ({ verb, group, resource }) => `${verb} ${group}/${resource}`,
    );
  } finally {
    await Promise.all([platform.close(), client.close()]);
  }
}

async function gone(workloads: { remove(name: string): Promise<string> }, name: string): Promise<void> {
  await eventually(async () => (await workloads.remove(name)) === 'gone', PATIENT);
}

function withoutPolicy({ networkPolicy: _, ...settings }: PoolSettings): PoolSettings {
  return settings;
}
