import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findKubectl, KUBERNETES_VERSION } from '../../tools/kubernetes/programs.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { eventually } from '../support/eventually.ts';
import { useControlPlane } from '../support/kubernetes.ts';

const cluster = useControlPlane();

const kubectl = async (...args: string[]) =>
  runCommand(await findKubectl(serverOptions(process.env)), ['--kubeconfig', cluster.kubeconfigFile(), ...args]);

const getJson = async <T>(path: string): Promise<T> => {
  const { status, body } = await cluster.plane().ask('GET', path);
  expect(status, body).toBe(200);
  return JSON.parse(body) as T;
};

const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'registry.invalid/nothing:1' }] },
    },
  },
});

test('The API server answers to kubectl, in the version that hyperkube/go.mod names', async () => {
  const { stdout } = await kubectl('version', '-o', 'json');
  const { serverVersion } = JSON.parse(stdout) as { serverVersion: { gitVersion: string } };
  const module = readFileSync('tools/kubernetes/hyperkube/go.mod', 'utf8');
  expect(module).toContain(`k8s.io/kubernetes ${serverVersion.gitVersion}\n`);
  expect(serverVersion.gitVersion).toBe(`v${KUBERNETES_VERSION}`);
});

test('Whoever shows no certificate of the cluster is refused', async () => {
  const { url, caPem } = cluster.plane();
  const { code, stderr } = await kubectl('--client-certificate=/dev/null', '--client-key=/dev/null', 'get', 'pods');
  expect(code).not.toBe(0);
  expect(stderr).not.toBe('');
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(caPem).toContain('BEGIN CERTIFICATE');
});

test('The controllers work: a Deployment gets its pods, and its deletion takes them away', async () => {
  const namespace = await cluster.namespace();
  const { ask } = cluster.plane();
  const made = await ask('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment('sleeper'));
  expect(made.status, made.body).toBe(201);
  const pods = () => getJson<{ items: unknown[] }>(`/api/v1/namespaces/${namespace}/pods`);
  await eventually(async () => (await pods()).items.length === 2);
  expect((await kubectl('-n', namespace, 'delete', 'deployment', 'sleeper')).code).toBe(0);
  await eventually(async () => (await pods()).items.length === 0, { deadlineMs: 60_000 });
});

test('After a kill the API server comes back on its port and knows what it knew', async () => {
  const namespace = await cluster.namespace();
  const plane = cluster.plane();
  await plane.killApiserver();
  await expect(plane.ask('GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
  await plane.startApiserver();
  const { metadata } = await getJson<{ metadata: { name: string } }>(`/api/v1/namespaces/${namespace}`);
  expect(metadata.name).toBe(namespace);
  // The controllers were not restarted with it: they find the new one.
  await cluster.namespace();
});
