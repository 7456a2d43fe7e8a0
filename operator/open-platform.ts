import { fileURLToPath } from 'node:url';
import type { Clock } from '../services/kit/clock.ts';
import type { Health } from '../services/kit/health.ts';
import type { Http } from '../services/kit/http.ts';
import type { Log } from '../services/kit/log.ts';
import type { Metrics } from '../services/kit/metrics.ts';
import { POD_NODE_FLAGS } from '../services/kit/node-flags.ts';
import type { LeaderOptions } from './leader.ts';
import { createHostPlatform } from './platform/host/host.ts';
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
import type { Platform } from './platform/platform.ts';
import type { HostChoice, KubernetesChoice } from './variables.ts';

interface Surroundings {
  /** What pods on the host get of the operator's own environment. */
  env: {
    config: { SECKILL_REDIS_URL: string; SECKILL_REDIS_CA_FILE?: string; SECKILL_LOG_LEVEL: string };
    path: string;
  };
  instance: string;
  log: Log;
  clock: Clock;
  http: Http;
  health: Health;
  metrics: Metrics;
  signal: AbortSignal;
}

interface OpenPlatform {
  platform: Platform;
  leaseTimes: Pick<LeaderOptions, 'durationMs' | 'renewMs' | 'giveUpMs'>;
  close(): Promise<void>;
}

/** The platform that was chosen, and what the process shows of it. */
export function openPlatform(choice: HostChoice | KubernetesChoice, around: Surroundings): OpenPlatform {
  return choice.kind === 'host' ? openHost(choice, around) : openKubernetes(choice, around);
}

function openHost({ stateDir, tokenKeysFile, podEnv }: HostChoice, { env, log, clock }: Surroundings): OpenPlatform {
  const { SECKILL_REDIS_URL, SECKILL_REDIS_CA_FILE, SECKILL_LOG_LEVEL } = env.config;
  const pod = {
    command: process.execPath,
    args: [...POD_NODE_FLAGS, fileURLToPath(new URL('../services/seckill/main.ts', import.meta.url))],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      ...{ PATH: env.path, SECKILL_REDIS_URL, SECKILL_LOG_LEVEL, SECKILL_TOKEN_KEYS_FILE: tokenKeysFile },
      ...(SECKILL_REDIS_CA_FILE === undefined ? {} : { SECKILL_REDIS_CA_FILE }),
      ...podEnv,
    },
  };
  const platform = createHostPlatform({ stateDir, pod, log, clock });
  return { platform, leaseTimes: {}, close: () => platform.close() };
}

function openKubernetes(choice: KubernetesChoice, around: Surroundings): OpenPlatform {
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
