import { freePort, isFree } from '../../operator/platform/host/free-port.ts';
import { livingProcess, type ProcessRecord } from '../../operator/platform/host/process-record.ts';
import type { ProcessSpec } from '../../operator/platform/host/slot.ts';
import type { StateFolder } from '../../operator/platform/host/state-folder.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { renderEdge } from '../../services/edge/render.ts';
import { findKafka, kafkaReady, prepareKafka } from '../../tools/servers/kafka.ts';
import type { LaunchSpec } from '../../tools/servers/launch.ts';
import { findMariadb, mariadbReady, prepareMariadb } from '../../tools/servers/mariadb.ts';
import { findNginx, nginxReady, prepareNginx } from '../../tools/servers/nginx.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { findRedis, prepareRedis, redisReady } from '../../tools/servers/redis.ts';
import { EDGE_WORKERS, SALE_PORT_DEFAULT, SERVER_PROBE_INTERVAL_MS } from './limits.ts';

export const SERVERS_GROUP = 'servers';
export const EDGE_GROUP = 'edge';

/** A server that we start, or one that the user named. */
export interface PlannedServer {
  url: string;
  spec: ProcessSpec | undefined;
}

/** What a module of tools/servers makes of a folder and a port. */
interface Prepared {
  launch: LaunchSpec;
}

/**
 * A server as a process of the table. It is prepared again before each start, which takes up its data; a running one
 * that was adopted is prepared only to be asked whether it is ours.
 */
export async function serverSpec<T extends Prepared>(options: {
  name: string;
  group: string;
  port: number;
  url: string;
  prepare(port: number): Promise<T>;
  ready(server: T, deadlineMs: number): Promise<void>;
}): Promise<ProcessSpec> {
  const { name, group, port, url, prepare, ready } = options;
  let prepared: Promise<T> | undefined;
  return {
    instance: name,
    role: name,
    group,
    port: async () => port,
    url: () => url,
    readyIntervalMs: SERVER_PROBE_INTERVAL_MS,
    async launch() {
      prepared = prepare(port);
      const { command, args, env, cwd, stopSignal, stopTimeoutMs } = (await prepared).launch;
      return { command, args, env, cwd, stopSignal, stopTimeoutMs };
    },
    async ready() {
      prepared ??= prepare(port);
      // One attempt: whether to ask again is the supervisor's to say.
      return ready(await prepared, Date.now()).then(
        () => true,
        () => false,
      );
    },
  };
}

/** The port of this server's last life, which other processes' settings may name; another when somebody else has it now. */
export async function portOf(records: readonly ProcessRecord[], instance: string): Promise<number> {
  const former = records.find((record) => record.instance === instance);
  if (former === undefined) return freePort();
  return livingProcess(former) !== undefined || (await isFree(former.port)) ? former.port : freePort();
}

/** Where buyers come in. An edge that lives keeps its port; otherwise it is the one that the user named, if it is free. */
export async function salePort(wished: number | undefined, records: readonly ProcessRecord[]): Promise<number> {
  const former = records.find(({ instance }) => instance === 'edge');
  if (former !== undefined && livingProcess(former) !== undefined) {
    if (wished === undefined || wished === former.port) return former.port;
    const sentence = `--port ${wished}: the edge of an earlier "seckill up" serves this folder on port ${former.port}.`;
    throw new SeckillError(
      'SECKILL_ERR_CONFIG',
      `${sentence} Leave --port out; when everything was stopped by Ctrl-C, it may be another one.`,
    );
  }
  if (wished !== undefined) {
    if (await isFree(wished)) return wished;
    throw new SeckillError('SECKILL_ERR_CONFIG', `Port ${wished} is taken: name a free one by --port.`);
  }
  const usual = former?.port ?? SALE_PORT_DEFAULT;
  return (await isFree(usual)) ? usual : freePort();
}

export interface PlannedServers {
  redis: PlannedServer;
  mysql: PlannedServer;
  kafka: { brokers: string[]; spec: ProcessSpec | undefined };
}

/** Finds all servers at once, fetching what is missing; starts none. */
export async function planServers(
  options: ServerOptions,
  folder: StateFolder,
  records: readonly ProcessRecord[],
): Promise<PlannedServers> {
  const [redis, mysql, kafka] = await Promise.all([
    planRedis(options, folder, records),
    planMysql(options, folder, records),
    planKafka(options, folder, records),
  ]);
  return { redis, mysql, kafka };
}

async function planRedis(
  options: ServerOptions,
  folder: StateFolder,
  records: readonly ProcessRecord[],
): Promise<PlannedServer> {
  if (options.redisUrl !== undefined) return { url: options.redisUrl, spec: undefined };
  const [binary, port] = await Promise.all([findRedis(options), portOf(records, 'redis')]);
  const url = `redis://127.0.0.1:${port}`;
  const spec = await serverSpec({
    ...{ name: 'redis', group: SERVERS_GROUP, port, url },
    prepare: () => prepareRedis(binary, { dir: folder.redis, port }),
    ready: (server, deadlineMs) => redisReady(server, { deadlineMs }),
  });
  return { url, spec };
}

async function planMysql(
  options: ServerOptions,
  folder: StateFolder,
  records: readonly ProcessRecord[],
): Promise<PlannedServer> {
  if (options.mysqlUrl !== undefined) return { url: options.mysqlUrl, spec: undefined };
  const [binary, port] = await Promise.all([findMariadb(options), portOf(records, 'mariadb')]);
  const url = `mysql://root@127.0.0.1:${port}/seckill`;
  const spec = await serverSpec({
    ...{ name: 'mariadb', group: SERVERS_GROUP, port, url },
    prepare: () => prepareMariadb(binary, { dir: folder.mysql, port }),
    ready: (server, deadlineMs) => mariadbReady(server, { deadlineMs }),
  });
  return { url, spec };
}

async function planKafka(
  options: ServerOptions,
  folder: StateFolder,
  records: readonly ProcessRecord[],
): Promise<PlannedServers['kafka']> {
  if (options.kafkaBrokers !== undefined) return { brokers: options.kafkaBrokers, spec: undefined };
  const [binary, port] = await Promise.all([findKafka(options), portOf(records, 'kafka')]);
  const spec = await serverSpec({
    ...{ name: 'kafka', group: SERVERS_GROUP, port, url: `kafka://127.0.0.1:${port}` },
    prepare: () => prepareKafka(binary, { dir: folder.kafka, port }),
    ready: (server, deadlineMs) => kafkaReady(server, { deadlineMs }),
  });
  return { brokers: [`127.0.0.1:${port}`], spec };
}

/** The edge: nginx with the routes of this folder. */
export async function planEdge(
  options: ServerOptions,
  folder: StateFolder,
  { port, adminPort }: { port: number; adminPort: number },
): Promise<ProcessSpec> {
  const binary = await findNginx(options);
  const { luaPackagePath, needsUserDirective, modulesDir } = binary;
  const nginx = { luaPackagePath, needsUserDirective, ...(modulesDir === undefined ? {} : { modulesDir }) };
  const { routes: routesFile, edge: dir } = folder;
  const config = renderEdge({ port, adminPort, routesFile, dir, nginx, workers: EDGE_WORKERS });
  return serverSpec({
    ...{ name: 'edge', group: EDGE_GROUP, port, url: `http://127.0.0.1:${port}` },
    prepare: () => prepareNginx(binary, { dir: folder.edge, port, config }),
    ready: (server, deadlineMs) => nginxReady(server, { deadlineMs }),
  });
}
