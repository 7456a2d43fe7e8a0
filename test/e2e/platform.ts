import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { importImage } from '../../tools/cluster/cluster.ts';
import { API_PORT, type ClusterPlace, MARKER } from '../../tools/cluster/place.ts';
import { buildImage } from '../../tools/image/build.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { must, type Tools, until } from './commands.ts';
import { INSTALL_TIMEOUT_SECONDS, SERVERS_READY_TIMEOUT_MS, UNINSTALL_TIMEOUT_SECONDS } from './limits.ts';

export const RELEASE = 'seckill';
export const NAMESPACE = 'seckill';
const IMAGE = 'registry.local/seckill';

const repository = join(import.meta.dirname, '../..');
const chart = join(repository, 'helm/seckill');

/** The beginning of a command that runs in the cluster's network, with this machine's files and processes. */
const inNetwork = (place: ClusterPlace): string[] => [
  `--net=/proc/${readFileSync(place.pidFile, 'utf8')}/ns/net`,
  '--',
];

export const loadImage = async (
  options: ServerOptions,
  place: ClusterPlace,
  tags: readonly string[],
): Promise<void> => {
  const outFile = join(place.dir, 'image.tar');
  await buildImage(options, { name: IMAGE, tags, outFile });
  await importImage(options, outFile);
};

export interface Servers {
  redisUrl: string;
  kafkaBrokers: string;
  mysqlUrl: string;
}

/** Starts Redis, Kafka and MariaDB in the cluster's network. They end with the cluster. */
export const startServers = async (place: ClusterPlace): Promise<Servers> => {
  const script = join(import.meta.dirname, 'servers.ts');
  const dir = join(place.dir, 'servers');
  mkdirSync(dir, { recursive: true });
  const child = spawn('nsenter', [...inNetwork(place), process.execPath, script, dir], {
    // It ends with the cluster, however that is ended.
    env: { ...process.env, [MARKER]: place.dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('the servers answer', SERVERS_READY_TIMEOUT_MS, async () => {
    if (child.exitCode !== null) throw new Error(`the servers ended with ${child.exitCode}`);
    return { holds: said.includes('\n'), seen: said };
  });
  child.unref();
  child.stdout.destroy();
  return JSON.parse(said) as Servers;
};

export interface ReleaseOptions {
  tag: string;
  /** What a pod of a sale is promised. */
  poolCpu?: string;
  /** Lets the release go although sales are not settled. */
  forceUninstall?: boolean;
}

/** What the release is installed with: everything small enough for two processors, nothing else changed. */
const values = (servers: Servers, { tag, poolCpu = '100m', forceUninstall = false }: ReleaseOptions) => {
  const small = { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '512Mi' } };
  return {
    image: { repository: IMAGE, tag, pullPolicy: 'Never' },
    redis: { url: servers.redisUrl },
    kafka: { brokers: [servers.kafkaBrokers], replicationFactor: 1 },
    mysql: { url: servers.mysqlUrl },
    operator: { resources: small },
    edge: { resources: small },
    relay: { resources: small },
    order: { resources: small },
    pool: { resources: { requests: { cpu: poolCpu, memory: '96Mi' }, limits: { memory: '512Mi' } } },
    // A policy is about the port behind the service's address: where the API server really listens.
    networkPolicy: { apiserver: { ports: [443, API_PORT] } },
    uninstall: { force: forceUninstall },
  };
};

const release = (tools: Tools, place: ClusterPlace, servers: Servers, options: ReleaseOptions) => {
  const file = join(place.dir, 'values.json');
  writeFileSync(file, JSON.stringify(values(servers, options)));
  const waiting = ['--wait', '--timeout', `${INSTALL_TIMEOUT_SECONDS}s`];
  return (command: 'install' | 'upgrade') =>
    tools.helm(command, RELEASE, chart, '--namespace', NAMESPACE, '--values', file, ...waiting);
};

const restricted = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);

/** The namespace of the release, where only pods of the standard "restricted" are let in. */
export const makeNamespace = async (tools: Tools): Promise<void> => {
  await tools.kubectl('create', 'namespace', NAMESPACE);
  await tools.kubectl('label', 'namespace', NAMESPACE, ...restricted);
};

export const install = (tools: Tools, place: ClusterPlace, servers: Servers, tag: string): Promise<string> =>
  release(tools, place, servers, { tag })('install');

export const upgrade = (tools: Tools, place: ClusterPlace, servers: Servers, to: ReleaseOptions): Promise<string> =>
  release(tools, place, servers, to)('upgrade');

export const uninstall = (tools: Tools): Promise<string> =>
  tools.helm('uninstall', RELEASE, '--namespace', NAMESPACE, '--wait', '--timeout', `${UNINSTALL_TIMEOUT_SECONDS}s`);

/** Makes a release whose uninstallation was refused what it was: Helm upgrades none that it calls `uninstalling`. */
export const rollBack = async (tools: Tools): Promise<string> => {
  const at = ['--namespace', NAMESPACE];
  const history = JSON.parse(await tools.helm('history', RELEASE, ...at, '-o', 'json')) as { revision: number }[];
  return tools.helm('rollback', RELEASE, String(history.at(-1)?.revision), ...at);
};

interface Secret {
  data: Record<string, string>;
}

/** A folder like that of `seckill up`, with the keys of the release's tokens: what `seckill load` reads. */
const tokenKeysFolder = async (tools: Tools, place: ClusterPlace): Promise<string> => {
  const root = join(place.dir, 'state');
  const file = stateFolder(root).tokenKeys;
  if (existsSync(file)) return root;
  const name = `${RELEASE}-token-keys`;
  const { data } = JSON.parse(await tools.kubectl('-n', NAMESPACE, 'get', 'secret', name, '-o', 'json')) as Secret;
  mkdirSync(root, { recursive: true });
  writeFileSync(file, Buffer.from(data['token-keys.json'] ?? '', 'base64'), { mode: 0o600 });
  return root;
};

export interface LoadOutcome {
  answers: Record<string, number>;
  /** How often each answer was heard, those after which a buyer asks again too. */
  reasons: Record<string, number>;
}

/** The address of the edge's service, which this machine reaches by the cluster's link. */
export const edgeUrl = async (tools: Tools): Promise<string> => {
  const service = ['get', 'service', `${RELEASE}-edge`, '-o', 'jsonpath={.spec.clusterIP}'];
  return `http://${await tools.kubectl('-n', NAMESPACE, ...service)}`;
};

/** Plays buyers against the edge's service, from inside of the cluster's network. `how`: options of `seckill load`. */
export const playBuyers = async (
  tools: Tools,
  place: ClusterPlace,
  event: string,
  how: readonly string[],
): Promise<LoadOutcome> => {
  const url = await edgeUrl(tools);
  const state = await tokenKeysFolder(tools, place);
  const main = join(repository, 'cli/main.ts');
  const args = ['load', event, '--url', url, '--state', state, ...how, '--json'];
  return JSON.parse(await must('nsenter', [...inNetwork(place), process.execPath, main, ...args])) as LoadOutcome;
};
