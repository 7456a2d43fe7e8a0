import type { OpenPlatform, Surroundings } from './open-platform.ts';
import { createKubeClient } from './platform/kubernetes/client.ts';
import { createKubernetesPlatform } from './platform/kubernetes/kubernetes.ts';
import {
  KUBERNETES_LEASE_DURATION_MS,
  KUBERNETES_LEASE_GIVE_UP_MS,
  KUBERNETES_LEASE_RENEW_MS,
} from './platform/kubernetes/limits.ts';
import { FIELD_MANAGER } from './platform/kubernetes/pool-names.ts';
import { openPoolSettings } from './platform/kubernetes/pool-settings.ts';
import { followHealth, serveRoutes, showRequests } from './platform/kubernetes/serve.ts';
import { keepTokenSecret } from './platform/kubernetes/token-secret.ts';
import type { KubernetesChoice } from './variables.ts';

/** Pools as objects of a Kubernetes, and what the operator serves and keeps there besides. */
export function openKubernetes(choice: KubernetesChoice, around: Surroundings): OpenPlatform {
  const { namespace, watchNamespaces, poolFile, leaseName, tokenSecret, kubeconfigFile } = choice;
  const { instance, log, clock, http, health, metrics, signal } = around;
  const settings = openPoolSettings({ path: poolFile, log });
  const platform = createKubernetesPlatform({
    ...{ kubeconfigFile, namespace, watchNamespaces, pool: settings.current, leaseName, instance, log, clock },
  });
  serveRoutes(http, platform);
  showRequests(metrics, platform);
  const stopFollowing = followHealth(health, platform);
  const client = createKubeClient({ kubeconfigFile, fieldManager: FIELD_MANAGER, log });
  const keeping = keepTokenSecret(client, { namespace, name: tokenSecret, log }, signal).finally(() => client.close());
  return {
    platform,
    leaseTimes: {
      durationMs: KUBERNETES_LEASE_DURATION_MS,
      renewMs: KUBERNETES_LEASE_RENEW_MS,
      giveUpMs: KUBERNETES_LEASE_GIVE_UP_MS,
    },
    async close() {
      stopFollowing();
      settings.close();
      await Promise.all([keeping, platform.close()]);
    },
  };
}
