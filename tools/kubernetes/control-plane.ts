import { mkdirSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchSpec } from '../servers/launch.ts';
import type { ServerOptions } from '../servers/options.ts';
import { type OwnServer, startServer } from '../servers/own-server.ts';
import { freePort } from '../servers/ports.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from '../servers/ready.ts';
import { type AskApi, apiRequests } from './api-request.ts';
import { makeCertificates } from './certificates.ts';
import { APISERVER_READY_TIMEOUT_MS, CONTROLLERS_READY_TIMEOUT_MS, ETCD_READY_TIMEOUT_MS } from './limits.ts';
import { apiserverSpec, type ControlPlanePlace, controllerManagerSpec, etcdSpec, schedulerSpec } from './parts.ts';
import { findKubernetesProgram, type KubernetesProgram } from './programs.ts';

const LOOPBACK = '127.0.0.1';
/** Nobody routes these: without a node there is nothing behind a service address. */
const SERVICE_CIDR = '10.97.0.0/16';
const SERVICE_FIRST_ADDRESS = '10.97.0.1';
const ADVERTISED_ADDRESS = '10.201.0.2';
const POLL_INTERVAL_MS = 100;

/** etcd, the API server, and what makes it a cluster without nodes; as an ordinary user, on 127.0.0.1. */
export interface ControlPlane {
  /** The administrator's. */
  readonly kubeconfigFile: string;
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly apiserverPort: number;
  /** The certificate of the cluster's authority, PEM. */
  readonly caPem: string;
  readonly dir: string;
  /** A request of the administrator's on a connection of its own. */
  ask: AskApi;
  /** SIGKILL: clients see refused connections, etcd keeps the state. */
  killApiserver(): Promise<void>;
  /** Resolves when it is ready again, on the same port. */
  startApiserver(): Promise<void>;
  /** Ends everything and removes the folder, if it was made for it. */
  stop(): Promise<void>;
}

export interface StartControlPlaneOptions {
  /** Left out: a new temporary folder, removed by `stop`. */
  dir?: string;
  /** The controller manager and the scheduler, true if left out. Without them nothing makes pods or collects garbage. */
  controllers?: boolean;
}

const etcdProbe = async (port: number): Promise<Probe> => {
  const response = await fetch(`http://${LOOPBACK}:${port}/health`);
  return response.ok ? { status: 'ready' } : { status: 'waiting', why: `its health is ${response.status}` };
};

const apiserverProbe = async (ask: AskApi): Promise<Probe> => {
  const { status, body } = await ask('GET', '/readyz');
  return status === 200 ? { status: 'ready' } : { status: 'waiting', why: `${status} ${body.trim().slice(0, 200)}` };
};

const defaultAccount = (namespace: string) => `/api/v1/namespaces/${namespace}/serviceaccounts/default`;

const accountProbe = async (ask: AskApi): Promise<Probe> => {
  const { status } = await ask('GET', defaultAccount('default'));
  return status === 200 ? { status: 'ready' } : { status: 'waiting', why: 'there is no default service account yet' };
};

interface Part {
  spec: (place: ControlPlanePlace, command: string) => LaunchSpec;
  program: KubernetesProgram;
  probe: () => Promise<Probe>;
  readyTimeoutMs: number;
}

const startPart = async (options: ServerOptions, place: ControlPlanePlace, part: Part): Promise<OwnServer> => {
  const kind = {
    name: part.program,
    find: () => findKubernetesProgram(options, part.program),
    prepare: async (command: string, { port }: { port: number }) => ({ launch: part.spec(place, command), port }),
    ready: (_server: unknown, ready: ReadyOptions) => waitUntilReady(part.program, part.probe, POLL_INTERVAL_MS, ready),
    readyTimeoutMs: part.readyTimeoutMs,
  };
  const { own } = await startServer(kind, options, { dir: join(place.dir, part.program), port: place.apiserverPort });
  return own;
};

/** Three different free ports; drawing the same twice is rare, and would be a start that fails. */
const freePorts = async (): Promise<[number, number, number]> => {
  for (;;) {
    const ports: [number, number, number] = [await freePort(), await freePort(), await freePort()];
    if (new Set(ports).size === ports.length) return ports;
  }
};

/** Starts a control plane; resolves when the API server is ready and, with controllers, pods could be created. */
export const startControlPlane = async (
  options: ServerOptions,
  start: StartControlPlaneOptions = {},
): Promise<ControlPlane> => {
  if (start.dir !== undefined) mkdirSync(start.dir, { recursive: true });
  const dir = realpathSync(start.dir ?? mkdtempSync(join(tmpdir(), 'seckill-kubernetes-')));
  const [apiserverPort, etcdPort, etcdPeerPort] = await freePorts();
  const url = `https://${LOOPBACK}:${apiserverPort}`;
  const pki = join(dir, 'pki');
  const place: ControlPlanePlace = {
    dir,
    pki,
    address: LOOPBACK,
    apiserverPort,
    etcdPort,
    etcdPeerPort,
    serviceCidr: SERVICE_CIDR,
    advertiseAddress: ADVERTISED_ADDRESS,
  };
  const started: OwnServer[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.kill('SIGKILL').catch(() => {})));
    if (start.dir === undefined) await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  const run = async (part: Part): Promise<OwnServer> => {
    const server = await startPart(options, place, part);
    started.unshift(server);
    return server;
  };
  try {
    const { searchPath } = options;
    await makeCertificates({
      folder: pki,
      searchPath,
      url,
      addresses: [LOOPBACK],
      clusterAddress: SERVICE_FIRST_ADDRESS,
    });
    const ask = apiRequests(url, pki);
    await run({
      spec: etcdSpec,
      program: 'etcd',
      probe: () => etcdProbe(etcdPort),
      readyTimeoutMs: ETCD_READY_TIMEOUT_MS,
    });
    const apiserver = await run({
      spec: apiserverSpec,
      program: 'kube-apiserver',
      probe: () => apiserverProbe(ask),
      readyTimeoutMs: APISERVER_READY_TIMEOUT_MS,
    });
    if (start.controllers ?? true) {
      // Only now: before the API server is ready their roles are missing, and they end instead of waiting for them.
      const both = { probe: () => accountProbe(ask), readyTimeoutMs: CONTROLLERS_READY_TIMEOUT_MS };
      await Promise.all([
        run({ spec: controllerManagerSpec, program: 'kube-controller-manager', ...both }),
        run({ spec: schedulerSpec, program: 'kube-scheduler', ...both }),
      ]);
    }
    return {
      kubeconfigFile: join(pki, 'admin.kubeconfig'),
      url,
      apiserverPort,
      caPem: readFileSync(join(pki, 'ca.crt'), 'utf8'),
      dir,
      ask,
      killApiserver: () => apiserver.kill('SIGKILL'),
      startApiserver: () => apiserver.start(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
