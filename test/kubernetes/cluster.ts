import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { crd } from '../../operator/api/crd.ts';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import { createKubeClient, type KubeClient, type KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { eventRef } from '../../operator/platform/kubernetes/seckill-events.ts';
import type { ControlPlane } from '../../tools/kubernetes/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { useControlPlane } from '../support/kubernetes.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

export const silent = pino({ level: 'silent' });
/** For servers that are killed, on a machine that does other things as well. */
export const PATIENT = { deadlineMs: 60_000, intervalMs: 20 };

const CRD_NAME = 'seckillevents.seckill.io';
const CRD_REF = {
  ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', namespace: '', name: CRD_NAME },
};

export interface Cluster {
  plane(): ControlPlane;
  /** As the administrator, by another field manager than the operator's. */
  admin(): KubeClient;
  kubeconfigFile(): string;
  namespace(): Promise<string>;
  /** A way of its own to the API server, gone after the test file. */
  way(): Promise<{ proxy: TcpProxy; kubeconfigFile: string }>;
  /** Somebody who may do nothing but what the administrator grants to `User` NAME. */
  kubeconfigAs(user: string): string;
  installCrd(): Promise<void>;
  removeCrd(): Promise<void>;
  /** What `kubectl apply` does. */
  apply(manifest: Manifest): Promise<void>;
  delete(key: string): Promise<void>;
}

/** A control plane of this test file, with the CRD. */
export function clusterOfFile(options: { controllers: boolean }): Cluster {
  const cluster = useControlPlane(options);
  const folder = mkdtempSync(join(tmpdir(), 'seckill-test-'));
  const proxies: TcpProxy[] = [];
  let admin: KubeClient | undefined;
  const asked = (): KubeClient => {
    admin ??= createKubeClient({ kubeconfigFile: cluster.kubeconfigFile(), fieldManager: 'kubectl', log: silent });
    return admin;
  };

  interface Kubeconfig {
    clusters: { cluster: { server: string } }[];
    users: { user: Record<string, unknown> }[];
  }

  function kubeconfig(name: string, change: (config: Kubeconfig) => void): string {
    const config = parse(readFileSync(cluster.kubeconfigFile(), 'utf8')) as Kubeconfig;
    change(config);
    const file = join(folder, `${name}.kubeconfig`);
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  }

  async function installCrd(): Promise<void> {
    await asked().apply(crd() as KubeObject);
    // Established is said a moment before the first list is answered.
    await eventually(() => asked().list({ apiVersion: 'seckill.io/v1alpha1', kind: 'SeckillEvent' }), PATIENT);
  }

  beforeAll(installCrd);
  afterAll(async () => {
    await Promise.all([admin?.close(), ...proxies.map((proxy) => proxy.close())]);
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    plane: cluster.plane,
    admin: asked,
    kubeconfigFile: cluster.kubeconfigFile,
    namespace: cluster.namespace,
    async way() {
      const proxy = await startTcpProxy(cluster.plane().apiserverPort);
      proxies.push(proxy);
      const kubeconfigFile = kubeconfig(`way-${proxy.port}`, ({ clusters }) => {
        for (const one of clusters) one.cluster.server = `https://127.0.0.1:${proxy.port}`;
      });
      return { proxy, kubeconfigFile };
    },
    kubeconfigAs: (user) =>
      kubeconfig(user, ({ users }) => {
        for (const one of users) one.user['as'] = user;
      }),
    installCrd,
    async removeCrd() {
      await asked().delete(CRD_REF);
      await eventually(async () => expect(await asked().get(CRD_REF)).toBeUndefined(), PATIENT);
    },
    async apply(manifest) {
      await asked().apply(manifest as unknown as KubeObject);
    },
    async delete(key) {
      await asked().delete(eventRef(key));
    },
  };
}
