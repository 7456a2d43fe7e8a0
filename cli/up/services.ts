import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { asksReady } from '../../operator/platform/host/probe.ts';
import type { ProcessSpec } from '../../operator/platform/host/slot.ts';
import type { StateFolder } from '../../operator/platform/host/state-folder.ts';
import { SERVICE_STOP_TIMEOUT_MS } from './limits.ts';

export const ROLES = ['operator', 'relay', 'order', 'seckill'] as const;
export type Role = (typeof ROLES)[number];
export type LongLivedRole = Exclude<Role, 'seckill'>;

/** Variables that the processes of one role get besides their own; tests name fault points by them. */
export type Environment = Partial<Record<Role, Record<string, string>>>;

export interface ServiceSettings {
  folder: StateFolder;
  redisUrl: string;
  mysqlUrl: string;
  brokers: string[];
  logLevel: string;
  replicationFactor: number;
  environment: Environment;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const ENTRY: Record<LongLivedRole, string> = {
  operator: 'operator/main.ts',
  relay: 'services/relay/main.ts',
  order: 'services/order/main.ts',
};

/** `count` processes of one role, as slots of the process table. The group is the role's name. */
export function serviceSpecs(role: LongLivedRole, count: number, settings: ServiceSettings): ProcessSpec[] {
  return Array.from({ length: count }, (_, slot): ProcessSpec => {
    const instance = `${role}-${slot}`;
    return {
      instance,
      role,
      group: role,
      port: () => freePort(),
      url: (port) => `http://127.0.0.1:${port}`,
      ready: (port) => asksReady(`http://127.0.0.1:${port}`),
      launch: (port) => ({
        command: process.execPath,
        args: [`${root}${ENTRY[role]}`],
        cwd: root,
        env: environmentOf(role, instance, port, settings),
        stopSignal: 'SIGTERM',
        stopTimeoutMs: SERVICE_STOP_TIMEOUT_MS,
      }),
    };
  });
}

/** Where Node keeps what it has compiled, if it does so for this process: the others start sooner by it. */
function compiledElsewhere(): Record<string, string> {
  const ours = getCompileCacheDir();
  // Node adds a folder for its version and the user.
  return ours === undefined ? {} : { NODE_COMPILE_CACHE: dirname(ours) };
}

function environmentOf(
  role: LongLivedRole,
  instance: string,
  port: number,
  settings: ServiceSettings,
): Record<string, string> {
  const { folder, redisUrl, mysqlUrl, brokers, logLevel, replicationFactor, environment } = settings;
  const compiled = compiledElsewhere();
  return {
    PATH: '/usr/bin:/bin',
    ...compiled,
    SECKILL_HOST: '127.0.0.1',
    SECKILL_PORT: String(port),
    SECKILL_INSTANCE: instance,
    SECKILL_LOG_LEVEL: logLevel,
    SECKILL_REDIS_URL: redisUrl,
    SECKILL_KAFKA_BROKERS: brokers.join(','),
    SECKILL_MYSQL_URL: mysqlUrl,
    SECKILL_TOKEN_KEYS_FILE: folder.tokenKeys,
    ...(role === 'operator'
      ? {
          SECKILL_STATE_DIR: folder.root,
          SECKILL_REPLICATION_FACTOR: String(replicationFactor),
          SECKILL_POD_ENV: JSON.stringify({ ...compiled, ...environment.seckill }),
        }
      : {}),
    ...environment[role],
  };
}
