import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { findKubernetesProgram } from '../../tools/kubernetes/programs.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { clusterOfFile } from '../kubernetes/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startClusterEdge, startTable } from './agent-process.ts';

/*
 * The cluster's own name server, on what the API says of a headless Service. Its addresses are of no machine here: what is
 * looked at is what nginx is told.
 */
const PATIENT = { deadlineMs: 60_000, intervalMs: 50 };
const folder = tempDir();
const cluster = clusterOfFile({ controllers: false });
let dns: ChildProcess | undefined;
let [dnsPort, readyPort] = [0, 0];

async function startDns(): Promise<void> {
  const program = await findKubernetesProgram(serverOptions(process.env), 'coredns');
  const file = join(folder, 'Corefile');
  writeFileSync(
    file,
    `.:${dnsPort} {
  bind 127.0.0.1
  ready 127.0.0.1:${readyPort}
  kubernetes cluster.local {
    kubeconfig ${cluster.kubeconfigFile()}
    ttl 0
  }
}
`,
  );
  dns = spawn(program, ['-conf', file], { stdio: 'ignore' });
  await eventually(async () => (await fetch(`http://127.0.0.1:${readyPort}/ready`)).ok, PATIENT);
}

async function stopDns(): Promise<void> {
  if (dns === undefined || dns.exitCode !== null || dns.signalCode !== null) return;
  const ended = once(dns, 'exit');
  dns.kill('SIGKILL');
  await ended;
}

beforeAll(async () => {
  [dnsPort, readyPort] = [await freePort(), await freePort()];
  await startDns();
}, 240_000);
afterAll(stopDns);

/** A headless Service with these pods, ready ones, as Kubernetes would keep them. */
async function putPods(namespace: string, addresses: readonly string[]): Promise<void> {
  const { ask } = cluster.plane();
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  const slice = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { namespace, name: 'pool-1', labels: { 'kubernetes.io/service-name': 'pool' } },
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
  const put = await ask('PUT', `${slices}/pool-1`, slice);
  const { status, body } = put.status === 404 ? await ask('POST', slices, slice) : put;
  if (status >= 300) throw new Error(body);
}

async function putService(namespace: string): Promise<void> {
  await cluster.admin().apply({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name: 'pool' } },
    spec: { clusterIP: 'None', ports: [{ name: 'http', port: 8080 }] },
  } as KubeObject);
}

it('follows the pods behind a name, and keeps the last good answer while nobody answers', async () => {
  const namespace = await cluster.namespace();
  await putService(namespace);
  await putPods(namespace, ['192.0.2.1', '192.0.2.2']);
  const table = await startTable();
  table.tell({
    'shop/phone': `pool.${namespace}.svc.cluster.local:8080`,
    'shop/none': 'none.x.svc.cluster.local:8080',
  });
  const dir = join(folder, 'following');
  const edge = await startClusterEdge({
    ...{ SECKILL_EDGE_ROUTES_URL: table.url, SECKILL_EDGE_ORDERS: '127.0.0.1:1', SECKILL_EDGE_DIR: dir },
    SECKILL_EDGE_DNS: `127.0.0.1:${dnsPort}`,
  });
  const routes = () => (JSON.parse(readFileSync(join(dir, 'routes.json'), 'utf8')) as { events: object }).events;
  const become = (...peers: string[]) =>
    eventually(() => expect(routes()).toEqual({ 'shop/phone': peers, 'shop/none': [] }), PATIENT);
  const complaints = () => edge.log.filter((line) => line.includes('a name cannot be looked up')).length;

  await become('192.0.2.1:8080', '192.0.2.2:8080');
  await putPods(namespace, ['192.0.2.3', '192.0.2.2']);
  await become('192.0.2.2:8080', '192.0.2.3:8080');
  expect(complaints()).toBe(0);

  await stopDns();
  onTestFinished(async () => {
    // Also for a second attempt.
    await stopDns();
    await startDns();
  });
  await putPods(namespace, ['192.0.2.4']);
  await eventually(() => complaints() >= 2, PATIENT);
  await become('192.0.2.2:8080', '192.0.2.3:8080');
  await startDns();
  await become('192.0.2.4:8080');

  // That there are none is believed too, when it is said again and again.
  await putPods(namespace, []);
  await become();
});

it('asks for no name that the operator has not told', async () => {
  const table = await startTable();
  table.tell({});
  const edge = await startClusterEdge({
    ...{ SECKILL_EDGE_ROUTES_URL: table.url, SECKILL_EDGE_ORDERS: '127.0.0.1:1' },
    ...{ SECKILL_EDGE_DIR: join(folder, 'unasked'), SECKILL_EDGE_DNS: `127.0.0.1:${dnsPort}` },
  });
  const unknown = async (name: string) => (await fetch(`${edge.url}/v1/events/shop/${name}`)).status === 404;
  await eventually(() => unknown('phone'), PATIENT);
  for (let i = 0; i < 50; i += 1) expect(await unknown(`phone-${i}`)).toBe(true);
  const metrics = async () => (await fetch(`${edge.adminUrl}/metrics`)).text();
  expect(await metrics()).toMatch(/^seckill_edge_routes_age_seconds\{.*\} [\d.]+$/m);
  expect(await metrics()).not.toMatch(/^seckill_edge_lookups_total\{/m);
  table.tell({ 'shop/phone': 'pool.nowhere.svc.cluster.local:8080' });
  await eventually(
    async () => expect(await metrics()).toMatch(/^seckill_edge_lookups_total\{.*"empty".*\} [1-9]/m),
    PATIENT,
  );
});
