import { fileURLToPath } from 'node:url';
import type { Clock } from '../services/kit/clock.ts';
import type { Health } from '../services/kit/health.ts';
import type { Http } from '../services/kit/http.ts';
import type { Log } from '../services/kit/log.ts';
import type { Metrics } from '../services/kit/metrics.ts';
import { POD_NODE_FLAGS } from '../services/kit/node-flags.ts';
import type { LeaderOptions } from './leader.ts';
import { createHostPlatform } from './platform/host/host.ts';
import type { Platform } from './platform/platform.ts';
import type { HostChoice, KubernetesChoice } from './variables.ts';

export interface Surroundings {
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

export interface OpenPlatform {
  platform: Platform;
  leaseTimes: Pick<LeaderOptions, 'durationMs' | 'renewMs' | 'giveUpMs'>;
  close(): Promise<void>;
}

/** The platform that was chosen, and what the process shows of it. */
export async function openPlatform(choice: HostChoice | KubernetesChoice, around: Surroundings): Promise<OpenPlatform> {
  if (choice.kind === 'host') return openHost(choice, around);
  // The client of Kubernetes is half of what an operator loads, and on a host nothing needs it.
  const { openKubernetes } = await import('./open-kubernetes.ts');
  return openKubernetes(choice, around);
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
