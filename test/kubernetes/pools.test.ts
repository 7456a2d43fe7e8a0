import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKubeClient, type KubeClient, type KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { FIELD_MANAGER, poolNameOf } from '../../operator/platform/kubernetes/pool-names.ts';
import type { PoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { OWNED_KINDS, type PoolKind, refOfPool } from '../../operator/platform/kubernetes/pool-view.ts';
import { keepTokenSecret } from '../../operator/platform/kubernetes/token-secret.ts';
import { createKubernetesWorkloads, type KubernetesWorkloads } from '../../operator/platform/kubernetes/workloads.ts';
import type { DesiredWorkload } from '../../operator/platform/platform.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { eventually } from '../support/eventually.ts';
import { useControlPlane } from '../support/kubernetes.ts';
import { randomEventName } from '../support/names.ts';
import { aPool, podTemplate } from './pool-settings.ts';

/** Garbage collection and the autoscaler have their own pace, and the machine does other things as well. */
const PATIENT = { deadlineMs: 90_000, intervalMs: 100 };
const log = pino({ level: 'silent' });
const kubernetes = useControlPlane();
let hands: KubeClient;
const opened: (() => Promise<void>)[] = [];

beforeAll(() => {
  hands = createKubeClient({ kubeconfigFile: kubernetes.kubeconfigFile(), fieldManager: 'a-person', log });
});
afterAll(async () => {
  await Promise.all(opened.map((close) => close()));
  await hands.close();
});

interface Stand {
  readonly namespace: string;
  readonly workloads: KubernetesWorkloads;
  readonly client: KubeClient;
  settings: PoolSettings;
  /** Another operator of the same release. */
  another(): Promise<KubernetesWorkloads>;
}

/** A release in a namespace of its own. */
async function aRelease(): Promise<Stand> {
  const namespace = await kubernetes.namespace();
  const kubeconfigFile = kubernetes.kubeconfigFile();
  const client = createKubeClient({ kubeconfigFile, fieldManager: FIELD_MANAGER, log });
  async function open(): Promise<KubernetesWorkloads> {
    const pool = () => stand.settings;
    const options = { client, namespace, watchNamespaces: [], pool, log, clock: systemClock };
    const workloads = createKubernetesWorkloads(options);
    await workloads.start();
    await workloads.lead(true);
    opened.unshift(() => workloads.close());
    return workloads;
  }
  const stand = { namespace, client, settings: aPool(), another: open } as { -readonly [K in keyof Stand]: Stand[K] };
  stand.workloads = await open();
  opened.push(() => client.close());
  return stand;
}

function aSale(changes: Partial<DesiredWorkload> = {}): DesiredWorkload & { pool: string } {
  const event = `shop/${randomEventName()}`;
  return {
    ...{ name: event.replace('/', '.'), role: 'seckill', event, floor: 2, ceiling: 8, drainSeconds: 15 },
    ...{ cpuUtilization: 60, updates: 'now', ...changes, pool: poolNameOf(event) },
  };
}

type Found = KubeObject & { spec: Record<string, unknown>; data?: Record<string, string> };

const get = (stand: Stand, kind: PoolKind, pool: string) => hands.get<Found>(refOfPool(kind, stand.namespace, pool));

async function found(stand: Stand, kind: PoolKind, pool: string): Promise<Found> {
  const object = await get(stand, kind, pool);
  expect(object, kind).toBeDefined();
  return object as Found;
}

async function pods(stand: Stand): Promise<KubeObject[]> {
  const { items } = await hands.list({ apiVersion: 'v1', kind: 'Pod', namespace: stand.namespace });
  return items;
}

/** Until nothing is left to be written. */
async function settles(stand: Stand, sale: DesiredWorkload): Promise<void> {
  await eventually(async () => expect(await stand.workloads.apply(sale)).toBe('unchanged'), PATIENT);
}

const replicasOf = async (stand: Stand, pool: string) => (await found(stand, 'Deployment', pool)).spec['replicas'];

/** Everything that this client asked of the server but reading. */
function writes(client: KubeClient): number {
  const writing = client.requests().filter(({ verb }) => !['get', 'list', 'watch'].includes(verb));
  return writing.reduce((sum, { count }) => sum + count, 0);
}

test('token keys that are deleted are made anew, loudly, and those that are there are left alone', async () => {
  const stand = await aRelease();
  const lines: string[] = [];
  const loud = pino({ level: 'error' }, { write: (line) => lines.push(line) });
  const stopping = new AbortController();
  const options = { namespace: stand.namespace, name: 'token-keys', log: loud, lookMs: 50 };
  const keeping = keepTokenSecret(stand.client, options, stopping.signal);
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: stand.namespace, name: 'token-keys' };
  const uid = async () => {
    const secret = await hands.get(ref);
    expect(secret).toBeDefined();
    return secret?.metadata.uid;
  };
  const first = await eventually(uid, PATIENT);
  const looks = () => stand.client.requests().find(({ verb, resource }) => `${verb} ${resource}` === 'get secrets');
  const before = looks()?.count ?? 0;
  await eventually(() => expect(looks()?.count).toBeGreaterThan(before + 3), PATIENT);
  expect([await uid(), lines]).toEqual([first, []]);
  await hands.delete(ref);
  expect(await eventually(uid, PATIENT)).not.toBe(first);
  await eventually(() => expect(lines.join()).toContain('the token keys were deleted'), PATIENT);
  stopping.abort();
  await keeping;
});

describe('a pool', { timeout: 180_000 }, () => {
  test('is left as it is, and named, when its namespace is not looked after any more', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    const lines: string[] = [];
    const loud = pino({ level: 'warn' }, { write: (line) => lines.push(line) });
    const { client, namespace } = stand;
    const narrow = createKubernetesWorkloads({
      ...{ client, namespace, watchNamespaces: ['elsewhere'], pool: () => stand.settings },
      ...{ log: loud, clock: systemClock },
    });
    opened.unshift(() => narrow.close());
    await narrow.start();
    const told: string[] = [];
    await narrow.watch((event) => told.push(event));
    expect(told).toEqual([]);
    expect(lines.join()).toContain(`"event":"${sale.event}"`);
    for (const kind of OWNED_KINDS) await found(stand, kind, sale.pool);
  });

  test('is left to the next leader by one that is deposed in the middle', async () => {
    const stand = await aRelease();
    const sale = aSale();
    const applying = stand.workloads.apply(sale);
    await stand.workloads.lead(false);
    await expect(applying).rejects.toThrow('only the leader');
    await found(stand, 'ConfigMap', sale.pool);
    for (const kind of OWNED_KINDS) expect(await get(stand, kind, sale.pool)).toBeUndefined();
    const heir = await stand.another();
    expect(await heir.apply(sale)).toBe('applied');
    for (const kind of OWNED_KINDS) await found(stand, kind, sale.pool);
  });

  test('is made at its floor, with all that belongs to it, and nothing is written when it is as wanted', async () => {
    const stand = await aRelease();
    const sale = aSale({ floor: 3 });
    expect(await stand.workloads.observe(sale.name)).toBeUndefined();
    expect(await stand.workloads.apply(sale)).toBe('applied');
    const anchor = await found(stand, 'ConfigMap', sale.pool);
    for (const kind of OWNED_KINDS) {
      const { metadata } = await found(stand, kind, sale.pool);
      expect(metadata.ownerReferences).toMatchObject([{ kind: 'ConfigMap', uid: anchor.metadata.uid }]);
    }
    expect(await replicasOf(stand, sale.pool)).toBe(3);
    const policy = await found(stand, 'NetworkPolicy', sale.pool);
    expect(policy.spec['ingress']).toEqual(stand.settings.networkPolicy?.ingress);
    await eventually(async () => expect(await pods(stand)).toHaveLength(3), PATIENT);
    expect(stand.workloads.routes()?.events).toEqual({
      [sale.event]: `${sale.pool}.${stand.namespace}.svc.cluster.local:8080`,
    });

    await settles(stand, sale);
    const before = writes(stand.client);
    for (let look = 0; look < 20; look += 1) expect(await stand.workloads.apply({ ...sale })).toBe('unchanged');
    expect(writes(stand.client)).toBe(before);
    // Another process knows it by what stands in the cluster, not by what it remembers.
    expect(await (await stand.another()).apply(sale)).toBe('unchanged');
  });

  test.each(OWNED_KINDS)('gets its %s back when it is deleted by hand', async (kind) => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    await settles(stand, sale);
    const told: string[] = [];
    const watch = await stand.workloads.watch((event) => told.push(event));
    const { uid } = (await found(stand, kind, sale.pool)).metadata;
    told.length = 0;
    await hands.delete(refOfPool(kind, stand.namespace, sale.pool));
    await eventually(() => expect(told).toContain(sale.event), PATIENT);
    await eventually(async () => {
      await stand.workloads.apply(sale);
      const { metadata } = await found(stand, kind, sale.pool);
      expect(metadata.uid).not.toBe(uid);
      expect(metadata.deletionTimestamp).toBeUndefined();
    }, PATIENT);
    if (kind === 'Deployment') expect(await replicasOf(stand, sale.pool)).toBe(2);
    await settles(stand, sale);
    await watch.stop();
  });

  test('gets everything back under a new anchor when the anchor is deleted by hand', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    await settles(stand, sale);
    const { uid } = (await found(stand, 'ConfigMap', sale.pool)).metadata;
    await hands.delete(refOfPool('ConfigMap', stand.namespace, sale.pool));
    await eventually(async () => {
      await stand.workloads.apply(sale);
      const anchor = await found(stand, 'ConfigMap', sale.pool);
      expect(anchor.metadata.uid).not.toBe(uid);
      for (const kind of OWNED_KINDS) {
        const { metadata } = await found(stand, kind, sale.pool);
        expect(metadata.ownerReferences).toMatchObject([{ uid: anchor.metadata.uid }]);
        expect(metadata.deletionTimestamp).toBeUndefined();
      }
    }, PATIENT);
    await settles(stand, sale);
  });

  test.each<[PoolKind, object, (object: Found) => unknown, unknown]>([
    ['ConfigMap', { data: { 'make.json': '{}' } }, ({ data }) => data?.['make.json']?.includes('podTemplate'), true],
    ['Service', { spec: { selector: { 'seckill.io/pool': 'x' } } }, ({ spec }) => spec['selector'], 'POOL'],
    ['NetworkPolicy', { spec: { egress: [{}] } }, ({ spec }) => spec['egress'], undefined],
    ['Deployment', { metadata: { labels: { 'helm.sh/chart': null } } }, labelOf('helm.sh/chart'), 'seckill-0.1.0'],
    [
      'Deployment',
      { spec: { template: { spec: { containers: [{ name: 'seckill', image: 'mine:1' }] } } } },
      (object) => JSON.stringify(object.spec).includes('registry.local/seckill:1'),
      true,
    ],
    ['HorizontalPodAutoscaler', { spec: { maxReplicas: 100 } }, ({ spec }) => spec['maxReplicas'], 8],
    ['HorizontalPodAutoscaler', { spec: { behavior: null } }, ({ spec }) => spec['behavior'] !== undefined, true],
    ['PodDisruptionBudget', { spec: { maxUnavailable: 0 } }, ({ spec }) => spec['maxUnavailable'], '25%'],
    ['Service', { metadata: { ownerReferences: null } }, ({ metadata }) => metadata.ownerReferences?.length, 1],
  ])('puts right what was edited in its %s by hand: %j', async (kind, patch, read, wanted) => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    await settles(stand, sale);
    await hands.mergePatch(refOfPool(kind, stand.namespace, sale.pool), patch);
    await eventually(async () => {
      await stand.workloads.apply(sale);
      const expected = wanted === 'POOL' ? { 'seckill.io/pool': sale.pool } : wanted;
      expect(read(await found(stand, kind, sale.pool))).toEqual(expected);
    }, PATIENT);
    await settles(stand, sale);
  });

  test('leaves the replicas to the autoscaler and to people, but not at nothing', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    const deployment = refOfPool('Deployment', stand.namespace, sale.pool);
    await hands.mergePatch(deployment, { spec: { replicas: 5 } });
    await eventually(async () => {
      expect((await stand.workloads.observe(sale.name))?.wanted).toBe(5);
    }, PATIENT);
    await settles(stand, sale);
    await stand.workloads.apply({ ...sale, cpuUtilization: 70 });
    stand.settings = aPool({ podTemplate: podTemplate('2') });
    await stand.workloads.apply(sale);
    expect(await replicasOf(stand, sale.pool)).toBe(5);

    // The floor moves: the autoscaler brings the pods, also without any metrics.
    await stand.workloads.apply({ ...sale, floor: 7 });
    await eventually(async () => expect(await replicasOf(stand, sale.pool)).toBe(7), PATIENT);

    // At nothing an autoscaler is off.
    await hands.mergePatch(deployment, { spec: { replicas: 0 } });
    await eventually(async () => {
      await stand.workloads.apply({ ...sale, floor: 7 });
      expect(await replicasOf(stand, sale.pool)).toBe(7);
    }, PATIENT);
  });

  test('keeps the template that its pods are of while updates wait', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    await settles(stand, sale);
    const template = async () => (await found(stand, 'Deployment', sale.pool)).spec['template'];
    const former = await template();
    stand.settings = aPool({ podTemplate: podTemplate('2') });
    const waiting = { ...sale, updates: 'wait', floor: 3 } as const;
    expect(await stand.workloads.apply(waiting)).toBe('applied');
    expect(await stand.workloads.observe(sale.name)).toMatchObject({ updatePending: true });
    expect(await template()).toEqual(former);
    await settles(stand, waiting);
    // Who comes next, or repairs what was edited meanwhile, knows it too.
    await hands.mergePatch(refOfPool('Deployment', stand.namespace, sale.pool), {
      spec: { template: { spec: { containers: [{ name: 'seckill', image: 'mine:1' }] } } },
    });
    const heir = await stand.another();
    await eventually(async () => {
      await heir.apply(waiting);
      expect(await template()).toEqual(former);
    }, PATIENT);

    await stand.workloads.apply({ ...sale, updates: 'now' });
    expect(JSON.stringify(await template())).toContain('registry.local/seckill:2');
    await eventually(
      async () => expect(await stand.workloads.observe(sale.name)).toMatchObject({ updatePending: false }),
      PATIENT,
    );
  });

  test('loses its network policy when the release no longer has one', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    const { networkPolicy: _none, ...open } = aPool();
    stand.settings = open;
    await settles(stand, sale);
    expect(await get(stand, 'NetworkPolicy', sale.pool)).toBeUndefined();
  });

  test('is gone with all that it owned, and nothing of its namesake in another namespace', async () => {
    const stand = await aRelease();
    const sale = aSale();
    const event = sale.event.replace('shop/', 'other/');
    const namesake = { ...sale, event, name: event.replace('/', '.'), pool: poolNameOf(event) };
    await stand.workloads.apply(sale);
    await stand.workloads.apply(namesake);
    await eventually(async () => expect(await pods(stand)).toHaveLength(4), PATIENT);
    await settles(stand, namesake);
    const { metadata } = await found(stand, 'Deployment', namesake.pool);
    expect(await stand.workloads.remove(sale.name)).toBe('removing');
    await eventually(async () => expect(await stand.workloads.remove(sale.name)).toBe('gone'), PATIENT);
    expect(await stand.workloads.observe(sale.name)).toBeUndefined();
    for (const kind of [...OWNED_KINDS, 'ConfigMap'] as const) {
      expect(await get(stand, kind, sale.pool)).toBeUndefined();
      expect((await found(stand, kind, namesake.pool)).metadata.deletionTimestamp).toBeUndefined();
    }
    expect(await pods(stand)).toHaveLength(2);
    expect((await found(stand, 'Deployment', namesake.pool)).metadata.uid).toBe(metadata.uid);
    expect(Object.keys(stand.workloads.routes()?.events ?? {})).toEqual([event]);
    // Asked for again, it is a new one.
    await stand.workloads.apply(sale);
    expect(await stand.workloads.observe(sale.name)).toBeDefined();
  });

  test('is taken away piece by piece when somebody orphaned its objects', async () => {
    const stand = await aRelease();
    const sale = aSale();
    await stand.workloads.apply(sale);
    for (const kind of OWNED_KINDS) {
      const ref = refOfPool(kind, stand.namespace, sale.pool);
      await hands.mergePatch(ref, { metadata: { ownerReferences: null } });
    }
    await hands.delete(refOfPool('ConfigMap', stand.namespace, sale.pool));
    await eventually(async () => expect(await stand.workloads.remove(sale.name)).toBe('gone'), PATIENT);
    for (const kind of OWNED_KINDS) expect(await get(stand, kind, sale.pool)).toBeUndefined();
    expect(await pods(stand)).toEqual([]);
  });

  test('says why pods are missing: a quota, no node; and heals when there is room', async () => {
    const stand = await aRelease();
    const sale = aSale();
    const quota = `/api/v1/namespaces/${stand.namespace}/resourcequotas`;
    const { ask } = kubernetes.plane();
    const body = { metadata: { name: 'few' }, spec: { hard: { pods: '1' } } };
    expect((await ask('POST', quota, { apiVersion: 'v1', kind: 'ResourceQuota', ...body })).status).toBe(201);
    await eventually(async () => expect((await ask('GET', `${quota}/few`)).body).toContain('"used"'), PATIENT);
    await stand.workloads.apply(sale);
    const problems = async () => (await stand.workloads.observe(sale.name))?.problems ?? [];
    await eventually(async () => {
      expect((await problems()).join('\n')).toMatch(/pods cannot be created: .*exceeded quota: few/);
      expect((await problems()).join('\n')).toMatch(/1 pod: no node takes it: /);
    }, PATIENT);
    await ask('DELETE', `${quota}/few`);
    await eventually(async () => {
      expect((await problems()).join('\n')).not.toContain('quota');
      expect((await problems()).join('\n')).toMatch(/2 pods: no node takes it/);
    }, PATIENT);
  });

  test('counts the pods that say that they are ready, and tells when that changes', async () => {
    const stand = await aRelease();
    const sale = aSale();
    const told: string[] = [];
    const watch = await stand.workloads.watch((event) => told.push(event));
    await stand.workloads.apply(sale);
    await eventually(
      async () => expect(await stand.workloads.observe(sale.name)).toMatchObject({ pods: 2, ready: 0, wanted: 2 }),
      PATIENT,
    );
    told.length = 0;
    const [pod] = await pods(stand);
    if (pod === undefined) throw new Error('there is a pod');
    await markReady(stand, pod);
    // A controller may have touched something else of it before.
    await eventually(async () => {
      expect(told).toContain(sale.event);
      expect(await stand.workloads.observe(sale.name)).toMatchObject({ pods: 2, ready: 1 });
    }, PATIENT);
    await watch.stop();
  });

  test('is brought to the same by two that lead at once, who then both rest', async () => {
    const stand = await aRelease();
    const other = await stand.another();
    const sale = aSale();
    const leaders = [stand.workloads, other];
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(leaders.map((leader) => leader.apply({ ...sale, floor: 2 + round })));
    }
    const final = { ...sale, floor: 6 };
    await eventually(async () => {
      for (const leader of leaders) expect(await leader.apply(final)).toBe('unchanged');
    }, PATIENT);
    const before = writes(stand.client);
    for (const leader of leaders) expect(await leader.apply(final)).toBe('unchanged');
    expect(writes(stand.client)).toBe(before);
    const kinds = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: stand.namespace };
    expect((await hands.list(kinds)).items).toHaveLength(1);
  });

  test('that is refused says what the server said', async () => {
    const stand = await aRelease();
    const wrong = podTemplate('1');
    for (const container of wrong.spec?.containers ?? [])
      container.volumeMounts?.push({ name: 'none', mountPath: '/x' });
    stand.settings = aPool({ podTemplate: wrong });
    await expect(stand.workloads.apply(aSale())).rejects.toThrow(/apply deployments .*volumeMounts.*"none"/);
  });
});

function labelOf(label: string): (object: Found) => unknown {
  return ({ metadata }) => metadata.labels?.[label];
}

async function markReady(stand: Stand, { metadata }: KubeObject): Promise<void> {
  const path = `/api/v1/namespaces/${stand.namespace}/pods/${metadata.name}/status`;
  const { ask } = kubernetes.plane();
  const pod = JSON.parse((await ask('GET', path)).body) as { status: { conditions?: object[] } };
  pod.status = { ...pod.status, conditions: [{ type: 'Ready', status: 'True' }] };
  expect((await ask('PUT', path, pod)).status).toBe(200);
}
