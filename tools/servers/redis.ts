import { realpathSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { atLeast, findProgram, isExecutable, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import type { LaunchSpec } from './launch.ts';
import { PROBE_TIMEOUT_MS, REDIS_READY_TIMEOUT_MS, REDIS_STOP_TIMEOUT_MS } from './limits.ts';
import type { ServerOptions } from './options.ts';
import { type OwnServer, type StartOptions, startServer } from './own-server.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from './ready.ts';

const LEAST_VERSION = '7';
const POLL_INTERVAL_MS = 5;

export interface RedisBinary {
  path: string;
  version: string;
  from: 'named' | 'path' | 'cache';
  /** What the program needs in its environment. */
  env: Record<string, string>;
}

export interface RedisServer {
  url: string;
  port: number;
  dir: string;
  launch: LaunchSpec;
}

const versionOf = async (path: string): Promise<string> => {
  const { stdout } = await runCommand(path, ['--version']);
  return /\bv=(\S+)/.exec(stdout)?.[1] ?? '';
};

/**
 * Where redis-server is: SECKILL_REDIS_SERVER, PATH, or the cache, which is filled when it is empty. One on PATH that
 * is too old is passed over; a named one that does not do is an error.
 */
export const findRedis = async (options: ServerOptions): Promise<RedisBinary> => {
  const { redisServer: named } = options;
  if (named !== undefined) {
    const version = isExecutable(named) ? await versionOf(named) : '';
    if (atLeast(version, LEAST_VERSION)) return { path: named, version, from: 'named', env: {} };
    throw setupError(
      `SECKILL_REDIS_SERVER names ${named}, which is no redis-server of version ${LEAST_VERSION} or later.`,
    );
  }
  const onPath = findProgram('redis-server', options.searchPath);
  if (onPath !== undefined) {
    const version = await versionOf(onPath);
    if (atLeast(version, LEAST_VERSION)) return { path: onPath, version, from: 'path', env: {} };
  }
  const debian = await options.debian();
  const path = debian.program('usr/bin/redis-server');
  return { path, version: debian.versionOf('redis-server'), from: 'cache', env: debian.env };
};

/** noeviction and the append-only file are what the platform demands of a Redis (docs: a Redis that evicts may evict
 *  the stock itself). No snapshots: they would fork in the middle of a sale. */
const configuration = (dir: string, port: number): Record<string, string> => ({
  bind: '127.0.0.1',
  port: String(port),
  dir: JSON.stringify(dir),
  daemonize: 'no',
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
  save: '""',
});

export interface PrepareRedisOptions {
  /** Holds redis.conf and the append-only file. Made if absent; data that are there are taken up again. */
  dir: string;
  port: number;
  /** Lines of redis.conf by their first word; they replace ours. */
  config?: Record<string, string>;
}

/** Writes redis.conf; starts nothing. */
export const prepareRedis = async (binary: RedisBinary, options: PrepareRedisOptions): Promise<RedisServer> => {
  const { port, config } = options;
  await mkdir(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const file = join(dir, 'redis.conf');
  const lines = Object.entries({ ...configuration(dir, port), ...config }).map(([key, value]) => `${key} ${value}`);
  await writeFile(file, `${lines.join('\n')}\n`);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    launch: {
      name: 'redis',
      command: binary.path,
      args: [file],
      env: { PATH: '/usr/bin:/bin', ...binary.env },
      cwd: dir,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: REDIS_STOP_TIMEOUT_MS,
    },
  };
};

const probe = async (server: RedisServer): Promise<Probe> => {
  const redis = new Redis(server.port, '127.0.0.1', {
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    connectTimeout: PROBE_TIMEOUT_MS,
    commandTimeout: PROBE_TIMEOUT_MS,
  });
  // The failure is told by connect(); without a listener it would be printed as well.
  redis.on('error', () => {});
  try {
    await redis.connect();
    await redis.ping();
    const [, dir] = (await redis.config('GET', 'dir')) as string[];
    if (dir === server.dir) return { status: 'ready' };
    return { status: 'foreign', who: `a Redis that works in ${dir}` };
  } finally {
    redis.disconnect();
  }
};

/** Resolves when it answers PING and works in our folder, which proves that it is ours. */
export const redisReady = (server: RedisServer, options: ReadyOptions): Promise<void> =>
  waitUntilReady('redis', () => probe(server), POLL_INTERVAL_MS, options);

export interface OwnRedis extends OwnServer {
  readonly url: string;
  readonly port: number;
}

/** Find, prepare, launch, wait: a Redis of this process. */
export const startRedis = async (options: ServerOptions, start: StartOptions = {}): Promise<OwnRedis> => {
  const kind = {
    name: 'redis',
    find: findRedis,
    prepare: prepareRedis,
    ready: redisReady,
    readyTimeoutMs: REDIS_READY_TIMEOUT_MS,
  };
  const { own, server } = await startServer(kind, options, start);
  return { ...own, url: server.url, port: server.port };
};
