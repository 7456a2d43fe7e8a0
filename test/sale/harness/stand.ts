import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import { openPlatform, type Platform } from '../../../cli/platform.ts';
import { type Release, startRelease } from '../../../cli/up/release.ts';
import { type Environment, ROLES } from '../../../cli/up/services.ts';
import { freePort } from '../../../operator/platform/host/free-port.ts';
import { type OwnKafka, startKafka } from '../../../tools/servers/kafka.ts';
import { type OwnMariadb, startMariadb } from '../../../tools/servers/mariadb.ts';
import { serverOptions } from '../../../tools/servers/options.ts';
import { type OwnRedis, startRedis } from '../../../tools/servers/redis.ts';
import { askForServer } from '../../support/shared-servers.ts';
import { createFaults, type Faults } from './faults.ts';
import { type Role, roleProcesses } from './processes.ts';

export interface StandOptions {
  /** Lines of redis.conf. */
  redis?: Record<string, string>;
  operators?: number;
  relays?: number;
  orders?: number;
  /** An own MariaDB can be stopped; otherwise it is a database of the one that all files share. */
  mariadb?: 'own' | 'shared';
  /** Whether a Prometheus watches it, as `seckill up` starts one: with the product's rules. */
  prometheus?: boolean;
  /** Variables that the processes of a role always get. */
  environment?: Environment;
}

/** One release of the platform for a test file, with a Redis and a Kafka of its own, through many sales. */
export interface Stand {
  readonly dir: string;
  readonly stateDir: string;
  readonly release: Release;
  readonly redis: OwnRedis;
  readonly kafka: OwnKafka;
  readonly mariadb: OwnMariadb;
  readonly mysqlUrl: string;
  readonly faults: Faults;
  /** What the release said to its user. */
  readonly told: readonly string[];
  /** Processes of the role, by their pids. */
  pids(role: Role): number[];
  /** Sends the signal to all processes of the role; answers how many there were. */
  signal(role: Role, signal: NodeJS.Signals): number;
}

/** Looks at the servers as `seckill audit` does. */
export async function withPlatform<T>({ release }: Stand, look: (platform: Platform) => Promise<T>): Promise<T> {
  const platform = await openPlatform(release.endpoints());
  try {
    return await look(platform);
  } finally {
    await platform.close();
  }
}

interface Parts {
  release: Release;
  redis: OwnRedis;
  kafka: OwnKafka;
  mariadb: OwnMariadb | undefined;
  mysqlUrl: string;
}

/** Call it at the top level of a test file. */
export function stand(options: StandOptions = {}): Stand {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'seckill-sale-')));
  const stateDir = join(dir, 'state');
  const faults = createFaults(dir, everywhere(options.environment ?? {}, join(dir, 'compiled')));
  const closers: (() => Promise<unknown>)[] = [];
  const told: string[] = [];
  let parts: Parts | undefined;
  const started = (): Parts => {
    if (parts === undefined) throw new Error('stand() starts in beforeAll: read it inside of a hook or a test');
    return parts;
  };
  beforeAll(async () => {
    mkdirSync(stateDir);
    parts = await start({ ...options, stateDir, faults, told, closers });
  });
  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    // For the one who looks for a cause: logs and state stay.
    if (process.env['SECKILL_TEST_KEEP'] === undefined) rmSync(dir, { recursive: true, force: true });
    else process.stderr.write(`kept: ${dir}\n`);
  });
  return {
    dir,
    stateDir,
    faults,
    told,
    get release() {
      return started().release;
    },
    get redis() {
      return started().redis;
    },
    get kafka() {
      return started().kafka;
    },
    get mariadb() {
      const { mariadb } = started();
      if (mariadb === undefined) throw new Error("stop nobody else's MariaDB: ask for stand({ mariadb: 'own' })");
      return mariadb;
    },
    get mysqlUrl() {
      return started().mysqlUrl;
    },
    pids: (role) => roleProcesses(started().release.endpoints(), role),
    signal(role, signal) {
      const pids = roleProcesses(started().release.endpoints(), role);
      for (const pid of pids) process.kill(pid, signal);
      return pids.length;
    },
  };
}

/** Processes start in half the time when they find what an earlier one has compiled, and a campaign starts many. */
function everywhere(environment: Environment, cache: string): Environment {
  const quick = { NODE_COMPILE_CACHE: cache };
  return Object.fromEntries(ROLES.map((role) => [role, { ...quick, ...environment[role] }]));
}

async function start(
  o: StandOptions & { stateDir: string; faults: Faults; told: string[]; closers: (() => Promise<unknown>)[] },
): Promise<Parts> {
  const { closers, told } = o;
  const tools = serverOptions(process.env);
  const [redis, kafka, mysql] = await Promise.all([
    kept(closers, startRedis(tools, { config: o.redis ?? {} })),
    kept(closers, startKafka(tools)),
    o.mariadb === 'own' ? kept(closers, startMariadb(tools)) : ownDatabase(closers),
  ]);
  const mysqlUrl = 'mysqlUrl' in mysql ? mysql.mysqlUrl : `${mysql.url}/seckill`;
  const release = await startRelease({
    stateDir: o.stateDir,
    manifests: [],
    operators: o.operators ?? 1,
    relays: o.relays ?? 2,
    orders: o.orders ?? 1,
    port: await freePort(),
    log: (line) => told.push(line),
    signal: new AbortController().signal,
    servers: () => ({ ...tools, redisUrl: redis.url, kafkaBrokers: kafka.brokers, mysqlUrl }),
    environment: o.faults.environment,
    prometheus: o.prometheus ?? false,
  });
  closers.push(() => release.stop());
  return { release, redis, kafka, mariadb: 'mysqlUrl' in mysql ? undefined : mysql, mysqlUrl };
}

async function kept<T extends { close(): Promise<void> }>(closers: (() => Promise<unknown>)[], starting: Promise<T>) {
  const server = await starting;
  closers.push(() => server.close());
  return server;
}

async function ownDatabase(closers: (() => Promise<unknown>)[]): Promise<{ mysqlUrl: string }> {
  const { url } = await askForServer('/mysql');
  const name = `seckill_sale_${randomBytes(6).toString('hex')}`;
  const mysqlUrl = new URL(url);
  mysqlUrl.pathname = `/${name}`;
  closers.push(async () => {
    const connection = await createConnection(url);
    await connection.query(`DROP DATABASE IF EXISTS ${name}`);
    await connection.end();
  });
  return { mysqlUrl: mysqlUrl.toString() };
}
