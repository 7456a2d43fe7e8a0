import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packLayer, writeArchive } from '../image/archive.ts';
import { type AskApi, apiRequests } from '../kubernetes/api-request.ts';
import { makeCertificates, NODE_NAME } from '../kubernetes/certificates.ts';
import { APISERVER_READY_TIMEOUT_MS } from '../kubernetes/limits.ts';
import { exclusively } from '../kubernetes/lock.ts';
import { apiserverSpec, controllerManagerSpec, etcdSpec, schedulerSpec } from '../kubernetes/parts.ts';
import { kubernetesFolder, metricsServerFolder, pauseFolder } from '../kubernetes/programs.ts';
import { findProgram, runCommand } from '../servers/command.ts';
import { messageOf, setupError } from '../servers/errors.ts';
import type { LaunchSpec } from '../servers/launch.ts';
import type { ServerOptions } from '../servers/options.ts';
import { type Probe, waitUntilReady } from '../servers/ready.ts';
import { cgroupsLeft, makeCgroups, removeCgroups } from './cgroups.ts';
import {
  CONTAINERD_READY_TIMEOUT_MS,
  IMAGE_IMPORT_TIMEOUT_MS,
  METRICS_READY_TIMEOUT_MS,
  NODE_READY_TIMEOUT_MS,
  POLL_INTERVAL_MS,
  STOP_TIMEOUT_MS,
} from './limits.ts';
import { enterArgs, HIDDEN_FOLDERS, makeNamespaces, processesOf, removeNamespaces, startInside } from './namespaces.ts';
import { containerdPart, metricsPart, nodeAgents } from './node-agents.ts';
import { FENCE, metricsManifests, nodeFiles, PAUSE_IMAGE } from './node-config.ts';
import { linkIptables, type NodeParts, nodeParts } from './node-parts.ts';
import {
  API_PORT,
  CLUSTER_NAME,
  type ClusterPlace,
  clusterPlace,
  ETCD_PEER_PORT,
  ETCD_PORT,
  LINK,
  NODE_ADDRESS,
  SERVICE_CIDR,
  SERVICE_FIRST_ADDRESS,
} from './place.ts';

const machineTools = ['ip', 'nsenter', 'unshare', 'mount', 'openssl', 'tar', 'sh'];

const checkMachine = (options: ServerOptions, place: ClusterPlace): void => {
  if (process.platform !== 'linux') throw setupError('The cluster needs Linux: it lives in namespaces of its kernel.');
  if (process.getuid?.() !== 0) {
    throw setupError('The cluster needs root, for its namespaces and cgroups: run this with sudo, or as root.');
  }
  const lacking = machineTools.filter((tool) => findProgram(tool, options.searchPath) === undefined);
  if (lacking.length > 0) {
    throw setupError(`${lacking.join(', ')} are missing: install iproute2, util-linux, openssl and tar.`);
  }
  const hidden = HIDDEN_FOLDERS.find((folder) => place.dir.startsWith(`${folder}/`));
  if (hidden !== undefined) {
    throw setupError(`The cache folder is below ${hidden}, which the cluster keeps for itself: set XDG_CACHE_HOME.`);
  }
};

const partOf = ({ name, command, args, env }: LaunchSpec) => ({ name, command, args, env });

/** Until the probe says that it is ready; on failure with the end of the part's log. */
const ready = async (
  place: ClusterPlace,
  name: string,
  timeoutMs: number,
  probe: () => Promise<Probe>,
): Promise<void> => {
  try {
    await waitUntilReady(name, probe, POLL_INTERVAL_MS, { deadlineMs: Date.now() + timeoutMs });
  } catch (error) {
    const log = join(place.dir, `${name}.log`);
    const tail = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-10).join('\n') : 'no log';
    throw setupError(`${messageOf(error)} ${log} ends:\n${tail}`, error);
  }
};

const answers = async (ask: AskApi, path: string, holds: (body: string) => boolean): Promise<Probe> => {
  const { status, body } = await ask('GET', path);
  if (status === 200 && holds(body)) return { status: 'ready' };
  return { status: 'waiting', why: `${path} answers ${status} ${body.slice(0, 300)}` };
};

interface Conditions {
  status?: { conditions?: { type: string; status: string }[] };
}

const isTrue = (type: string) => (body: string) =>
  ((JSON.parse(body) as Conditions).status?.conditions ?? []).some(
    (condition) => condition.type === type && condition.status === 'True',
  );

const ctr = (place: ClusterPlace, pid: number, parts: NodeParts, args: readonly string[], timeoutMs?: number) =>
  runCommand(
    'nsenter',
    [...enterArgs(pid), '--', parts.ctr, '--address', place.socket, '--namespace', 'k8s.io', ...args],
    { env: parts.env, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
  );

const importInto = async (place: ClusterPlace, pid: number, parts: NodeParts, file: string): Promise<void> => {
  const { code, stdout, stderr } = await ctr(place, pid, parts, ['images', 'import', file], IMAGE_IMPORT_TIMEOUT_MS);
  if (code !== 0) throw setupError(`${file} could not be imported: ${stderr.trim() || stdout.trim()}`);
};

/** The image of the process that every pod begins with; there is no registry to pull it from. */
const pauseImage = async (options: ServerOptions, place: ClusterPlace): Promise<string> => {
  const layer = await packLayer(await pauseFolder(options), join(place.dir, 'pause-layer.tar'));
  const config = { Entrypoint: ['/pause'], User: '65535:65535' };
  const outFile = join(place.dir, 'pause.tar');
  await writeArchive({ images: [{ reference: PAUSE_IMAGE, config }], layers: [layer], outFile });
  return outFile;
};

const startControlPlane = async (place: ClusterPlace, pid: number, programs: string, ask: AskApi): Promise<void> => {
  const at = {
    dir: place.dir,
    pki: place.pki,
    address: NODE_ADDRESS,
    advertiseAddress: NODE_ADDRESS,
    apiserverPort: API_PORT,
    etcdPort: ETCD_PORT,
    etcdPeerPort: ETCD_PEER_PORT,
    serviceCidr: SERVICE_CIDR,
  };
  const start = (spec: LaunchSpec) => startInside(place, pid, partOf(spec));
  start(etcdSpec(at, join(programs, 'etcd')));
  start(apiserverSpec(at, join(programs, 'kube-apiserver')));
  await ready(place, 'kube-apiserver', APISERVER_READY_TIMEOUT_MS, () => answers(ask, '/readyz', () => true));
  // Only now: before the API server is ready their roles are missing, and they end instead of waiting for them.
  start(controllerManagerSpec(at, join(programs, 'kube-controller-manager')));
  start(schedulerSpec(at, join(programs, 'kube-scheduler')));
};

const startNode = async (options: ServerOptions, place: ClusterPlace, pid: number, parts: NodeParts): Promise<void> => {
  for (const [name, text] of Object.entries(nodeFiles(place, parts))) {
    await mkdir(dirname(join(place.dir, name)), { recursive: true });
    await writeFile(join(place.dir, name), text);
  }
  await linkIptables(parts);
  const fence = await runCommand('nsenter', [...enterArgs(pid), '--', 'iptables', ...FENCE], { env: parts.env });
  if (fence.code !== 0) throw setupError(`iptables does not work here: ${fence.stderr.trim()}`);
  startInside(place, pid, containerdPart(place, parts));
  await ready(place, 'containerd', CONTAINERD_READY_TIMEOUT_MS, async () => {
    const { code, stderr } = await ctr(place, pid, parts, ['version']);
    return code === 0 ? { status: 'ready' } : { status: 'waiting', why: stderr.trim() };
  });
  await importInto(place, pid, parts, await pauseImage(options, place));
};

const postManifests = async (ask: AskApi): Promise<void> => {
  for (const { path, body } of metricsManifests()) {
    const made = await ask('POST', path, body);
    if (made.status !== 201) throw setupError(`${path} answers ${made.status} ${made.body}`);
  }
};

/** The cluster's own programs and packages, fetched and built where they are missing. */
const resolve = async (options: ServerOptions, place: ClusterPlace) => ({
  programs: await kubernetesFolder(options),
  metricsServer: join(await metricsServerFolder(options), 'metrics-server'),
  parts: await nodeParts(options, join(place.dir, 'iptables')),
});

type Resolved = Awaited<ReturnType<typeof resolve>>;

/** Puts everything that a start needs into the cache: minutes the first time, nothing later. */
export const prepareCluster = async (options: ServerOptions): Promise<void> => {
  await resolve(options, clusterPlace(options.cacheFolder()));
  await pauseFolder(options);
};

const start = async (options: ServerOptions, place: ClusterPlace, found: Resolved): Promise<void> => {
  const { report, searchPath } = options;
  const { programs, parts } = found;
  const startMs = performance.now();
  const step = (what: string) => report(`${((performance.now() - startMs) / 1_000).toFixed(1)} s: ${what}`);
  await makeCgroups();
  const pid = await makeNamespaces(place);
  const names = { url: place.url, addresses: [NODE_ADDRESS, '127.0.0.1'], clusterAddress: SERVICE_FIRST_ADDRESS };
  await makeCertificates({ folder: place.pki, searchPath, ...names });
  step('namespaces and certificates are made');
  const ask = apiRequests(place.url, place.pki);
  await Promise.all([
    startControlPlane(place, pid, programs, ask).then(() => step('the API server is ready')),
    startNode(options, place, pid, parts).then(() => step('containerd is ready')),
  ]);
  for (const part of nodeAgents(place, parts, programs)) startInside(place, pid, part);
  startInside(place, pid, metricsPart(place, parts, found.metricsServer));
  await postManifests(ask);
  const metrics = '/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io';
  const account = '/api/v1/namespaces/default/serviceaccounts/default';
  await Promise.all([
    ready(place, 'kubelet', NODE_READY_TIMEOUT_MS, () =>
      answers(ask, `/api/v1/nodes/${NODE_NAME}`, isTrue('Ready')),
    ).then(() => step('the node is Ready')),
    ready(place, 'metrics-server', METRICS_READY_TIMEOUT_MS, () => answers(ask, metrics, isTrue('Available'))),
    ready(place, 'kube-controller-manager', NODE_READY_TIMEOUT_MS, () => answers(ask, account, () => true)),
  ]);
  step('DNS and metrics are ready');
};

export interface ClusterStatus {
  /** The pid of the process that holds the namespaces; absent when nothing runs. */
  pid?: number;
  processes: number;
  ready: boolean;
}

const holderOf = (place: ClusterPlace): number | undefined => {
  const pid = existsSync(place.pidFile) ? Number(readFileSync(place.pidFile, 'utf8')) : 0;
  return processesOf(place).includes(pid) ? pid : undefined;
};

/** What runs, and whether the node is Ready. */
export const clusterStatus = async (options: ServerOptions): Promise<ClusterStatus> => {
  const place = clusterPlace(options.cacheFolder());
  const pid = holderOf(place);
  const processes = processesOf(place).length;
  if (pid === undefined || !existsSync(join(place.pki, 'finished'))) return { processes, ready: false };
  const ask = apiRequests(place.url, place.pki);
  const probe = () => answers(ask, `/api/v1/nodes/${NODE_NAME}`, isTrue('Ready'));
  const { status } = await probe().catch(() => ({ status: 'waiting' }));
  return { pid, processes, ready: status === 'ready' };
};

const remove = async (place: ClusterPlace): Promise<void> => {
  await removeNamespaces(place);
  const deadlineMs = Date.now() + STOP_TIMEOUT_MS;
  await waitUntilReady(
    'The end of the cgroups',
    async () => {
      const left = await removeCgroups();
      return left.length === 0 ? { status: 'ready' } : { status: 'waiting', why: `${left.join(', ')} is still held` };
    },
    POLL_INTERVAL_MS,
    { deadlineMs },
  );
  await rm(place.dir, { recursive: true, force: true, maxRetries: 3 });
};

/** Of two commands at once, one waits for the other. */
const alone = <T>(options: ServerOptions, work: () => Promise<T>): Promise<T> =>
  exclusively(options.cacheFolder(), CLUSTER_NAME, options.report, work);

/**
 * Ends the cluster and removes everything that it made: processes, link, routes, cgroups, files. Works after any death
 * of `up`, and when there is nothing.
 */
export const stopCluster = (options: ServerOptions): Promise<void> =>
  alone(options, () => remove(clusterPlace(options.cacheFolder())));

/** Starts the cluster, or does nothing when it runs and is Ready. What an interrupted start left is removed first. */
export const startCluster = async (options: ServerOptions): Promise<ClusterPlace> => {
  const place = clusterPlace(options.cacheFolder());
  checkMachine(options, place);
  const found = await resolve(options, place);
  return alone(options, async () => {
    if ((await clusterStatus(options)).ready) {
      options.report('the cluster is up already');
      return place;
    }
    await remove(place);
    try {
      await start(options, place, found);
      return place;
    } catch (error) {
      // The logs stay, to be looked at; the next start or stop removes them.
      await removeNamespaces(place).catch(() => {});
      throw error;
    }
  });
};

/** What there is of the cluster on this machine, one line each; after `down` there must be nothing. */
export const clusterLeftovers = async (options: ServerOptions): Promise<string[]> => {
  const place = clusterPlace(options.cacheFolder());
  const { stdout: network } = await runCommand('sh', ['-c', 'ip -oneline link; ip route']);
  const lines = [...network.split('\n'), ...readFileSync('/proc/self/mounts', 'utf8').split('\n')];
  return [
    ...processesOf(place).map((pid) => `process ${pid}`),
    ...(await cgroupsLeft()),
    ...lines.filter((line) => [LINK.host, place.dir, place.socketDir].some((name) => line.includes(name))),
    ...[place.dir, place.socketDir].filter((folder) => existsSync(folder)),
  ];
};

/** Imports a tar file of an image into the node. */
export const importImage = async (options: ServerOptions, file: string): Promise<void> => {
  const place = clusterPlace(options.cacheFolder());
  const pid = holderOf(place);
  if (pid === undefined) throw setupError('There is no cluster: start it with npm run cluster -- up.');
  await importInto(place, pid, await nodeParts(options, join(place.dir, 'iptables')), file);
};
