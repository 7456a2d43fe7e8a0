import { describe, expect, onTestFinished, test } from 'vitest';
import { FINALIZER } from '../../operator/api/annotations.ts';
import { crd } from '../../operator/api/crd.ts';
import type { KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { createKubernetesPlatform } from '../../operator/platform/kubernetes/kubernetes.ts';
import type { NoticeObject } from '../../operator/platform/kubernetes/notices.ts';
import { PERMISSIONS } from '../../operator/platform/kubernetes/permissions.ts';
import { OWNED_KINDS, refOfPool } from '../../operator/platform/kubernetes/pool-view.ts';
import { eventRef } from '../../operator/platform/kubernetes/seckill-events.ts';
import { followHealth, serveRoutes } from '../../operator/platform/kubernetes/serve.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { createHealth } from '../../services/kit/health.ts';
import { createHttp } from '../../services/kit/http.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { recordFault, saidOf, stopwatch } from '../faults/record.ts';
import { ALL_ZERO } from '../operator/bed.ts';
import { keyOf, newManifest } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';
import { aPool } from './pool-settings.ts';
import { inS, releaseOfFile, type Sale, SLOW } from './release.ts';

const stand = releaseOfFile();
const { cluster, bed, aSale, apply, find, reaches, poolObjectsOf, isGone, forcedLeader, operatorOf } = stand;

/** So long nothing may be written. */
const QUIET_MS = 5_000;

describe('the operator in a cluster', { timeout: 240_000 }, () => {
  test('runs a sale to its end, also when the leader is killed in the middle', async () => {
    const release = await cluster.namespace();
    const sale = await aSale();
    const leader = await operatorOf(release);
    await apply(sale);
    const open = await reaches(sale.key, 'Open');
    expect(open.metadata.finalizers).toEqual(['seckill.io/settle']);
    expect(await poolObjectsOf(release, sale.pool)).toEqual(['ConfigMap', ...OWNED_KINDS]);
    const heir = await operatorOf(release);
    const target = `${sale.pool}.${release}.svc.cluster.local:8080`;
    for (const { url } of [leader, heir]) {
      expect(await (await fetch(`${url}/routes`)).json()).toEqual({ events: { [sale.key]: target } });
    }
    const secret = { apiVersion: 'v1', kind: 'Secret', namespace: release, name: 'token-keys' };
    const keys = await cluster.admin().get<KubeObject & { data: Record<string, string> }>(secret);
    const text = Buffer.from(keys?.data['token-keys.json'] ?? '', 'base64').toString();
    expect(JSON.parse(text)).toMatchObject({ current: 'k1' });

    await leader.kill();
    const sinceDeath = stopwatch();
    await apply({ ...sale, spec: { ...sale.spec, closed: true } });
    const said = saidOf((await find(sale.key))?.status, 'Ready');
    await eventually(async () => expect((await find(sale.key))?.status?.observedGeneration).toBe(2), SLOW);
    recordFault('leader-killed', { said: `${said} (as it was)`, seconds: sinceDeath() });
    const settled = await reaches(sale.key, 'Settled');
    expect(settled.status?.accuracy).toMatchObject(ALL_ZERO);
    expect(settled.status?.eventId).toBe(open.status?.eventId);
    await isGone(release, sale.pool);
    // The last status is of after the pods' end, and stays.
    await eventually(async () => expect((await find(sale.key))?.status?.pods).toEqual({ ready: 0, wanted: 0 }), SLOW);
    // The key of tokens that are out in the world is not made a second time.
    expect(await cluster.admin().get(secret)).toEqual(keys);
    expect(await (await fetch(`${heir.url}/routes`)).json()).toEqual({ events: {} });
    await heir.kill();
  });

  test('tells the edge nothing before it has seen the cluster, and goes on telling when it sees it no more', async () => {
    const { proxy, kubeconfigFile } = await cluster.way();
    proxy.cut();
    const release = await cluster.namespace();
    const { deps } = bed;
    const platform = createKubernetesPlatform({
      ...{ kubeconfigFile, namespace: release, watchNamespaces: [], pool: aPool, leaseName: 'none', instance: 'test' },
      ...{ log: deps.log, clock: systemClock },
    });
    const health = createHealth();
    const http = createHttp({ log: deps.log, metrics: createMetrics({ role: 'operator' }), health });
    serveRoutes(http, platform);
    const stopFollowing = followHealth(health, platform);
    const url = await http.listen({ host: '127.0.0.1', port: 0 });
    stand.onEnd(async () => {
      stopFollowing();
      await Promise.all([http.close(), platform.close()]);
    });
    expect((await fetch(`${url}/routes`)).status).toBe(503);
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ ready: false });
    proxy.restore();
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), SLOW);
    expect(await (await fetch(`${url}/routes`)).json()).toEqual({ events: {} });
    const sale = await aSale();
    await platform.workloads.lead(true);
    await platform.workloads.apply({
      ...{ name: sale.key.replace('/', '.'), role: 'seckill', event: sale.key, floor: 1, ceiling: 1 },
      ...{ drainSeconds: 15, cpuUtilization: 60, updates: 'now' },
    });
    const events = { [sale.key]: `${sale.pool}.${release}.svc.cluster.local:8080` };
    const routes = async () => (await fetch(`${url}/routes`)).json();
    await eventually(async () => expect(await routes()).toEqual({ events }), SLOW);
    proxy.cut();
    await eventually(() => expect(platform.health().problems).not.toEqual([]), SLOW);
    expect(await routes()).toEqual({ events });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test('does nothing twice when two lead at once', async () => {
    const release = await cluster.namespace();
    const sale = await aSale();
    const leaders = [forcedLeader(release), forcedLeader(release)];
    await apply(sale);
    const { status } = await reaches(sale.key, 'Open');
    expect(status?.eventId).toMatch(/\.1$/);
    expect(await poolObjectsOf(release, sale.pool)).toEqual(['ConfigMap', ...OWNED_KINDS]);
    const deployment = refOfPool('Deployment', release, sale.pool);
    const { uid } = (await cluster.admin().get<KubeObject>(deployment))?.metadata ?? {};
    const former = await eventually(() => stand.podsAreReady(release, sale.pool, 2), SLOW);
    await cluster.admin().delete(deployment);
    const sinceDeletion = stopwatch();
    const said = await stand.saidUntil(sale.key, 'PodsReady', async () => {
      expect(await poolObjectsOf(release, sale.pool)).toEqual(['ConfigMap', ...OWNED_KINDS]);
      expect((await cluster.admin().get<KubeObject>(deployment))?.metadata.uid).not.toBe(uid);
      await stand.podsAreReady(release, sale.pool, 2, former);
    });
    recordFault('two-leaders', { said, seconds: sinceDeletion() });
    await eventually(async () => expect((await find(sale.key))?.status?.pods.ready).toBe(2), SLOW);
    await apply({ ...sale, spec: { ...sale.spec, closed: true } });
    expect((await reaches(sale.key, 'Settled')).status?.accuracy).toMatchObject(ALL_ZERO);
    await isGone(release, sale.pool);
    await Promise.all(leaders.map((leader) => leader.stop()));
  });

  test('goes on with the same stock when the object is made anew while the sale is open', async () => {
    const release = await cluster.namespace();
    const sale = await aSale();
    const leader = forcedLeader(release);
    await apply(sale);
    const first = await reaches(sale.key, 'Open');
    // A tool that removes finalizers, or a restore into a new cluster: the object is gone without an end.
    await cluster.admin().mergePatch(eventRef(sale.key), { metadata: { finalizers: [] } });
    await cluster.admin().delete(eventRef(sale.key));
    await eventually(async () => {
      const found = await find(sale.key);
      if (found !== undefined) await cluster.admin().mergePatch(eventRef(sale.key), { metadata: { finalizers: [] } });
      expect(found).toBeUndefined();
    }, SLOW);
    await apply(sale);
    const sinceApplied = stopwatch();
    const second = await reaches(sale.key, 'Open');
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    expect(second.status).toMatchObject({ eventId: first.status?.eventId });
    await eventually(async () => {
      expect((await find(sale.key))?.status?.pods.ready).toBe(2);
      expect(await poolObjectsOf(release, sale.pool)).toEqual(['ConfigMap', ...OWNED_KINDS]);
    }, SLOW);
    recordFault('recreated', { said: saidOf(second.status, 'Ready'), seconds: sinceApplied() });
    await leader.stop();
  });

  test('ends the sale of a namespace that is deleted, and lets it go', async () => {
    const release = await cluster.namespace();
    const sale = await aSale();
    const leader = forcedLeader(release);
    await apply(sale);
    const { status } = await reaches(sale.key, 'Open');
    const { namespace } = sale.metadata;
    const { ask } = cluster.plane();
    await ask('DELETE', `/api/v1/namespaces/${namespace}`);
    const sinceDeletion = stopwatch();
    let said = '';
    await eventually(async () => {
      // The last that was said before it went.
      const now = (await find(sale.key))?.status;
      if (now !== undefined) said = saidOf(now, 'Settled');
      expect((await ask('GET', `/api/v1/namespaces/${namespace}`)).status).toBe(404);
    }, SLOW);
    expect(await bed.ledger.events.get(status?.eventId ?? '')).toMatchObject({ state: 'settled' });
    await isGone(release, sale.pool);
    recordFault('namespace-deleted', { said, seconds: sinceDeletion() });
    await leader.stop();
  });

  test('keeps a deleted object while Redis is away, and settles it when Redis is back', async () => {
    const release = await cluster.namespace();
    const [sale, abandoned] = [await aSale(), await aSale()];
    const leader = forcedLeader(release);
    await apply(sale);
    await apply(abandoned);
    const { status } = await reaches(sale.key, 'Open');
    await reaches(abandoned.key, 'Open');
    const redis = await stand.pidOf('redis');
    process.kill(redis, 'SIGSTOP');
    onTestFinished(() => void process.kill(redis, 'SIGCONT'));
    await cluster.delete(sale.key);
    await cluster.delete(abandoned.key);
    await eventually(async () => {
      const found = await find(sale.key);
      expect(found?.metadata.deletionTimestamp).toBeDefined();
      expect(JSON.stringify(found?.status?.conditions)).toContain('RedisUnreachable');
    }, SLOW);
    await cluster
      .admin()
      .mergePatch(eventRef(abandoned.key), { metadata: { annotations: { 'seckill.io/abandon': 'true' } } });
    await eventually(async () => expect(await find(abandoned.key)).toBeUndefined(), SLOW);
    await isGone(release, abandoned.pool);
    const said = saidOf((await find(sale.key))?.status, 'Ready');
    process.kill(redis, 'SIGCONT');
    const sinceBack = stopwatch();
    await eventually(async () => expect(await find(sale.key)).toBeUndefined(), SLOW);
    expect(await bed.ledger.events.get(status?.eventId ?? '')).toMatchObject({ state: 'settled' });
    recordFault('redis-gone-at-deletion', { said, seconds: sinceBack() });
    await isGone(release, sale.pool);
    await leader.stop();
  });

  test('settles the sale of an object whose spec it does not accept, and lets that go', async () => {
    const release = await cluster.namespace();
    const sale = await aSale();
    const leader = forcedLeader(release);
    await apply(sale);
    const { status } = await reaches(sale.key, 'Open');
    const lax = structuredClone(crd()) as unknown as KubeObject & { spec: { versions: { schema: object }[] } };
    for (const version of lax.spec.versions)
      version.schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await cluster.admin().apply(lax);
    const spec = { stock: { totalUnits: -1 } };
    await eventually(async () => {
      await cluster.admin().mergePatch(eventRef(sale.key), { spec });
      const stalled = (await find(sale.key))?.status?.conditions.find(({ type }) => type === 'Stalled');
      expect(stalled).toMatchObject({ status: 'True', reason: 'SpecInvalid' });
    }, SLOW);
    await cluster.installCrd();
    expect(await find(sale.key)).toMatchObject({ spec, status: { phase: 'Open' } });
    expect(await poolObjectsOf(release, sale.pool)).toEqual(['ConfigMap', ...OWNED_KINDS]);
    await cluster.delete(sale.key);
    await eventually(async () => expect(await find(sale.key)).toBeUndefined(), SLOW);
    expect(await bed.ledger.events.get(status?.eventId ?? '')).toMatchObject({ state: 'settled' });
    await isGone(release, sale.pool);
    await leader.stop();
  });

  /** What the chart's Roles let an operator do, but for writing one resource. */
  async function grant(user: string, without: string): Promise<void> {
    const rules = PERMISSIONS.map(({ apiGroup, resource, verbs }) => ({
      ...{ apiGroups: [apiGroup], resources: [resource] },
      verbs: resource === without ? verbs.filter((verb) => verb !== 'patch' && verb !== 'create') : verbs,
    })).filter(({ verbs }) => verbs.length > 0);
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }];
    const api = 'rbac.authorization.k8s.io/v1';
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: user };
    const admin = cluster.admin();
    await admin.apply({ apiVersion: api, kind: 'ClusterRole', metadata: { name: user }, rules } as KubeObject);
    await admin.apply({
      apiVersion: api,
      kind: 'ClusterRoleBinding',
      metadata: { name: user },
      subjects,
      roleRef,
    } as KubeObject);
  }

  test('brings a sale to its end though its status or its finalizer cannot be written', async () => {
    const release = await cluster.namespace();
    const user = `operator-${release}`;
    const notices = async ({ key }: Sale) => {
      const { namespace } = eventRef(key);
      const { items } = await cluster.admin().list<NoticeObject>({ apiVersion: 'v1', kind: 'Event', namespace });
      return items.filter(({ reason }) => reason === 'WriteRefused').map(({ message }) => message);
    };
    const latest = ({ metadata }: Sale) => bed.ledger.events.latest(metadata.namespace, metadata.name);
    await grant(user, 'seckillevents/status');
    const [unsaid, unheld] = [await aSale(), await aSale()];
    const leader = forcedLeader(release, { kubeconfigFile: cluster.kubeconfigAs(user) });
    await apply(unsaid);
    await eventually(async () => expect(await latest(unsaid)).toMatchObject({ armed: true }), SLOW);
    await apply({ ...unsaid, spec: { ...unsaid.spec, closed: true } });
    await eventually(async () => expect(await latest(unsaid)).toMatchObject({ state: 'settled' }), SLOW);
    expect(await find(unsaid.key)).not.toHaveProperty('status');
    expect(await notices(unsaid)).toEqual([expect.stringMatching(/apply seckillevents\/status .* cannot patch/)]);

    await grant(user, 'seckillevents');
    await apply(unheld);
    await reaches(unheld.key, 'Open');
    expect(await notices(unheld)).toEqual([expect.stringMatching(/patch seckillevents .* cannot patch/)]);
    await grant(user, '');
    await reaches(unsaid.key, 'Settled');
    await eventually(async () => expect((await find(unheld.key))?.metadata.finalizers).toEqual([FINALIZER]), SLOW);
    await apply({ ...unheld, spec: { ...unheld.spec, closed: true } });
    await reaches(unheld.key, 'Settled');
    await leader.stop();
  });

  test('names a permission that is missing, does the rest, and goes on when it is granted', async () => {
    const release = await cluster.namespace();
    const user = `operator-${release}`;
    await grant(user, 'poddisruptionbudgets');
    const sale = await aSale();
    const leader = forcedLeader(release, { kubeconfigFile: cluster.kubeconfigAs(user) });
    await apply(sale);
    await reaches(sale.key, 'Open');
    const podsReady = async () => (await find(sale.key))?.status?.conditions.find(({ type }) => type === 'PodsReady');
    await eventually(async () => {
      expect((await podsReady())?.message).toMatch(/apply poddisruptionbudgets .*403.*cannot patch/);
    }, SLOW);
    const said = saidOf((await find(sale.key))?.status, 'PodsReady');
    await grant(user, '');
    const sinceGranted = stopwatch();
    await eventually(async () => {
      expect(await poolObjectsOf(release, sale.pool)).toContain('PodDisruptionBudget');
      expect(await podsReady()).toMatchObject({ status: 'True', message: '2 of 2 pods are ready' });
    }, SLOW);
    recordFault('rbac-verb', { said, seconds: sinceGranted() });
    await leader.stop();
  });

  test('makes no pod and no object for fifty events of next week, and then writes nothing', async () => {
    const release = await cluster.namespace();
    const namespace = await cluster.namespace();
    const week = 7 * 86_400;
    const events = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const manifest = newManifest({
          'metadata.namespace': namespace,
          'spec.schedule.startTime': inS(week),
          'spec.schedule.endTime': inS(week + 3_600),
        });
        await apply(manifest);
        return keyOf(manifest);
      }),
    );
    const { platform, stop } = forcedLeader(release, { watchNamespaces: [namespace] });
    await eventually(async () => {
      const found = await Promise.all(events.map(find));
      // The id of the edition comes last.
      expect(found.filter((event) => event?.status?.phase === 'Scheduled' && event.status.eventId)).toHaveLength(50);
    }, SLOW);
    const labelSelector = 'app.kubernetes.io/component=pool';
    for (const kind of ['ConfigMap', 'Pod'] as const) {
      const { items } = await cluster.admin().list({ ...refOfPool(kind, release, ''), labelSelector });
      expect(items).toEqual([]);
    }
    const writes = () =>
      platform
        .requests()
        .filter(({ verb, resource }) => !['get', 'list', 'watch'].includes(verb) && resource !== 'leases')
        .reduce((sum, { count }) => sum + count, 0);
    // The last of them may still be on its way; then nothing is written for a whole window.
    let [before, sinceMs] = [writes(), performance.now()];
    expect(before).toBeGreaterThanOrEqual(100);
    await eventually(() => {
      if (writes() !== before) [before, sinceMs] = [writes(), performance.now()];
      return performance.now() - sinceMs >= QUIET_MS;
    }, SLOW);
    await stop();
  });
});
