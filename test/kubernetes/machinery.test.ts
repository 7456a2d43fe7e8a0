import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { FINALIZER } from '../../operator/api/annotations.ts';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import { leadWhenElected } from '../../operator/leader.ts';
import { createKubeClient, type KubeClient, type KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { createKubernetesEvents, type KubernetesEvents } from '../../operator/platform/kubernetes/events.ts';
import { createKubernetesPlatform } from '../../operator/platform/kubernetes/kubernetes.ts';
import { createKubernetesLease } from '../../operator/platform/kubernetes/lease.ts';
import { createKubernetesNotices, type NoticeObject } from '../../operator/platform/kubernetes/notices.ts';
import { eventRef, type SeckillEventObject } from '../../operator/platform/kubernetes/seckill-events.ts';
import { showRequests } from '../../operator/platform/kubernetes/serve.ts';
import type { Verb } from '../../operator/platform/kubernetes/transport.ts';
import { createKeyQueue } from '../../operator/queue.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { recordFault, stopwatch } from '../faults/record.ts';
import { withField } from '../operator/manifests.ts';
import { keyOf, newManifest } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { clusterOfFile, PATIENT, silent } from './cluster.ts';
import { aPool } from './pool-settings.ts';

const cluster = clusterOfFile({ controllers: false });
const stops: (() => Promise<void>)[] = [];
let namespace: string;

beforeAll(async () => {
  namespace = await cluster.namespace();
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Operator {
  client: KubeClient;
  events: KubernetesEvents;
  invalid: string[];
}

/** Where lists are counted: one that a busy machine answers late would be asked for again. */
const NEVER_TOO_SLOW = { timeoutMs: 30_000 };

/** What an operator sees of the API server, by a way of its own or as somebody else. */
function operator(
  kubeconfigFile: string,
  options: { timeoutMs?: number; staleMs?: number; watchNamespaces?: string[] } = {},
): Operator {
  const { timeoutMs = 5_000, staleMs = 600_000, watchNamespaces = [] } = options;
  const client = createKubeClient({ kubeconfigFile, fieldManager: 'seckill-operator', log: silent, timeoutMs });
  const invalid: string[] = [];
  const events = createKubernetesEvents({
    ...{ client, watchNamespaces, log: silent, staleMs, resyncMs: 600_000 },
    onInvalid: (key, problems) => invalid.push(key, ...problems),
  });
  void events.start();
  stops.push(async () => {
    await events.close();
    await client.close();
  });
  return { client, events, invalid };
}

const aManifest = (fields: Record<string, unknown> = {}): Manifest =>
  newManifest({ 'metadata.namespace': namespace, ...fields });

async function applied(manifest = aManifest()): Promise<string> {
  await cluster.apply(manifest);
  return keyOf(manifest);
}

/** A finalizer that a test leaves, as when it fails, would hold back the CRD in another one. */
function releasedAtTheEnd(...keys: string[]): void {
  onTestFinished(async () => {
    for (const key of keys) await cluster.admin().mergePatch(eventRef(key), { metadata: { finalizers: null } });
  });
}

const sees = ({ events }: Operator, key: string) =>
  eventually(async () => {
    const event = await events.get(key);
    if (event === undefined) throw new Error(`${key} is not seen`);
    return event;
  }, PATIENT);

function asked(client: KubeClient, verb: Verb): number {
  return client.requests().reduce((sum, one) => sum + (one.verb === verb ? one.count : 0), 0);
}

function aStatus(message: string): SeckillEventStatus {
  return {
    ...{ phase: 'Scheduled', reason: 'Waiting', message, observedGeneration: 1 },
    ...{ startTime: '2026-12-12T12:00:00.000Z', endTime: '2026-12-12T12:30:00.000Z' },
    ...{ pods: { ready: 0, wanted: 0 }, conditions: [], checks: [] },
  };
}

describe('a watch', () => {
  test('that the server ends or the network breaks goes on from where it was, without another list', async () => {
    const { proxy, kubeconfigFile } = await cluster.way();
    const one = operator(kubeconfigFile, NEVER_TOO_SLOW);
    await sees(one, await applied());
    proxy.cut();
    const missed = await applied();
    await eventually(() => expect(one.events.problems()).toHaveLength(1));
    const before = proxy.opened();
    proxy.restore();
    await sees(one, missed);
    expect(one.events.problems()).toEqual([]);
    expect(asked(one.client, 'list')).toBe(1);
    expect(proxy.opened() - before).toBe(1);
  });

  test('whose connection is dead without a word is opened again', async () => {
    const { proxy, kubeconfigFile } = await cluster.way();
    const one = operator(kubeconfigFile, { staleMs: 1_000 });
    await sees(one, await applied());
    proxy.freeze();
    await sees(one, await applied());
    expect(asked(one.client, 'list')).toBe(1);
  });

  test('is opened again at once when another call found that the network works again', async () => {
    const { proxy, kubeconfigFile } = await cluster.way();
    const one = operator(kubeconfigFile, { timeoutMs: 3_000 });
    const key = await applied();
    await sees(one, key);
    await one.client.get(eventRef(key));
    proxy.freeze();
    const missed = await applied();
    await eventually(async () => {
      await one.client.get(eventRef(key)).catch(() => undefined);
      expect(await one.events.get(missed)).toBeDefined();
    }, PATIENT);
    expect(asked(one.client, 'list')).toBe(1);
  });

  test('is opened again when the lease found its own connection dead, though nobody else calls', async () => {
    const { proxy, kubeconfigFile } = await cluster.way();
    const platform = createKubernetesPlatform({
      ...{ kubeconfigFile, namespace, watchNamespaces: [namespace], pool: () => aPool(), instance: 'cut', log: silent },
      ...{ leaseName: randomEventName('lease'), clock: systemClock, resyncMs: 600_000 },
    });
    stops.push(() => platform.close());
    const renewing = async () => {
      const found = await platform.lease.read();
      const record = { holder: 'one', renewals: 1, durationMs: 15_000, transitions: 0 };
      await platform.lease.write(record, found?.version);
    };
    await eventually(async () => {
      await renewing();
      await platform.events.list();
    }, PATIENT);
    proxy.freeze();
    const missed = await applied();
    // The watch by itself would take longer than the patience of this test to be called silent.
    await eventually(async () => {
      await renewing().catch(() => undefined);
      expect(await platform.events.get(missed)).toBeDefined();
    }, PATIENT);
  });
});

test('connections that are dead without a word cost one call, not one each', async () => {
  const { proxy, kubeconfigFile } = await cluster.way();
  const client = createKubeClient({ kubeconfigFile, fieldManager: 'many', log: silent, timeoutMs: 3_000 });
  stops.push(() => client.close());
  const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: namespace };
  const connections = 8;
  await Promise.all(Array.from({ length: connections }, () => client.get(ref)));
  expect(proxy.opened()).toBe(connections);
  proxy.freeze();
  let failures = 0;
  await eventually(async () => {
    failures += 1;
    expect(await client.get(ref)).toBeDefined();
  }, PATIENT);
  // One, and on a busy machine another one for a new connection that took too long.
  expect(failures - 1).toBeLessThan(connections / 2);
});

test('an API server that is killed is used again as soon as it is back, and what was missed is seen', async ({
  annotate,
}) => {
  const straight = operator(cluster.kubeconfigFile(), NEVER_TOO_SLOW);
  const { proxy, kubeconfigFile } = await cluster.way();
  const apart = operator(kubeconfigFile, NEVER_TOO_SLOW);
  const [deleted, known] = [await applied(), await applied()];
  for (const one of [straight, apart]) for (const key of [deleted, known]) await sees(one, key);
  const told: string[] = [];
  await straight.events.watch((key) => told.push(key));
  // What happens while one of them is cut off is older than anything that a server remembers after its start.
  proxy.cut();
  await cluster.delete(deleted);
  const missed = await applied();
  await sees(straight, missed);

  await cluster.plane().killApiserver();
  await eventually(() => expect(straight.events.problems()).toHaveLength(1), PATIENT);
  expect((await straight.events.get(known))?.metadata.name).toBe(known.split('/')[1]);
  told.length = 0;
  await cluster.plane().startApiserver();
  const backAtMs = performance.now();
  await eventually(() => expect(straight.events.problems()).toEqual([]), PATIENT);
  // Whatever was tried in vain meanwhile is tried again: nobody sits out a long pause.
  await eventually(() => expect(told).toContain(known), PATIENT);
  const uid = (await sees(straight, known)).metadata.uid;
  await eventually(async () => {
    expect(await straight.events.putStatus(known, uid, aStatus('again'))).toMatch(/written|unchanged/);
  }, PATIENT);
  await annotate(`works again ${Math.round(performance.now() - backAtMs)} ms after the API server is ready`);
  expect(asked(straight.client, 'list')).toBeLessThanOrEqual(2);

  const said = `/readyz of the operator: ${apart.events.problems()[0]}`;
  proxy.restore();
  const sinceRestored = stopwatch();
  await sees(apart, missed);
  recordFault('watch-expired', { said, seconds: sinceRestored() });
  expect(await apart.events.get(deleted)).toBeUndefined();
  expect(asked(apart.client, 'list')).toBe(2);
});

test('a server that is too slow is named, and waited for', async () => {
  const { proxy, kubeconfigFile } = await cluster.way();
  const one = operator(kubeconfigFile, { timeoutMs: 400 });
  const key = await applied();
  await sees(one, key);
  proxy.slow(3_000);
  const { uid } = await sees(one, key).then(({ metadata }) => metadata);
  const failure = one.events.putStatus(key, uid, aStatus('slow'));
  const message = `apply seckillevents/status ${key}: Timeout: no answer within 400 ms`;
  await expect(failure).rejects.toThrow(message);
  proxy.slow(0);
  const sinceFast = stopwatch();
  await eventually(async () => {
    expect(await one.events.putStatus(key, uid, aStatus('slow'))).toMatch(/written|unchanged/);
  }, PATIENT);
  recordFault('slow-apiserver', { said: `log of the operator: ${message}`, seconds: sinceFast() });
  expect((await one.events.get(key))?.status?.message).toBe('slow');
});

test('a storm of writers on one object loses nobody a write', async () => {
  const patient = { timeoutMs: 50_000 };
  const [one, two] = [operator(cluster.kubeconfigFile(), patient), operator(cluster.kubeconfigFile(), patient)];
  const key = await applied();
  releasedAtTheEnd(key);
  const { uid } = (await sees(one, key)).metadata;
  await sees(two, key);
  const people = Array.from({ length: 4 }, (_, who) => who);
  const rounds = Array.from({ length: 6 }, (_, round) => round);
  const sinceFirst = stopwatch();
  await Promise.all([
    ...people.map(async (who) => {
      for (const round of rounds)
        await cluster.admin().mergePatch(eventRef(key), { metadata: { annotations: { [`by-${who}-${round}`]: 'x' } } });
    }),
    (async () => {
      for (const round of rounds) expect(await one.events.setFinalizer(key, uid, round % 2 === 0)).toBe('written');
      expect(await one.events.setFinalizer(key, uid, true)).toBe('written');
    })(),
    (async () => {
      for (const round of rounds)
        expect(await two.events.putStatus(key, uid, aStatus(`round ${round}`))).toBe('written');
    })(),
  ]);
  const seconds = sinceFirst();
  const found = await cluster.admin().get<SeckillEventObject>(eventRef(key));
  recordFault('conflict-storm', { said: `what was written last: ${found?.status?.message}`, seconds });
  expect(found?.metadata.finalizers).toEqual([FINALIZER]);
  expect(found?.status?.message).toBe('round 5');
  expect(Object.keys(found?.metadata.annotations ?? {})).toHaveLength(people.length * rounds.length);
});

describe('what an operator may not do', () => {
  const rbac = (kind: string, name: string, rest: object): KubeObject =>
    ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { namespace, name }, ...rest }) as KubeObject;

  async function grant(
    user: string,
    verbs: string[],
    kinds = { apiGroups: ['seckill.io'], resources: ['seckillevents', 'seckillevents/status'] },
  ): Promise<void> {
    const rules = [{ ...kinds, verbs }];
    await cluster.admin().apply(rbac('Role', user, { rules }));
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }];
    await cluster.admin().apply(rbac('RoleBinding', user, { roleRef, subjects }));
  }

  test('is named, and it works without a restart as soon as it is granted, by Roles of its namespaces', async () => {
    const user = randomEventName('user');
    const one = operator(cluster.kubeconfigAs(user), { watchNamespaces: [namespace] });
    const key = await applied();
    const elsewhere = newManifest({ 'metadata.namespace': await cluster.namespace() });
    await cluster.apply(elsewhere);
    await eventually(() => expect(one.events.problems().join()).toContain('cannot list resource "seckillevents"'));
    expect(one.events.problems()[0]).toContain(`list seckillevents of ${namespace}: 403 Forbidden`);
    // What cannot be seen must not be taken for what is gone.
    await expect(one.events.get(key)).rejects.toThrow('Forbidden');

    await grant(user, ['list', 'watch']);
    const { uid } = (await sees(one, key)).metadata;
    expect(await one.events.get(keyOf(elsewhere))).toBeUndefined();
    await expect(one.events.putStatus(key, uid, aStatus('x'))).rejects.toThrow(
      `apply seckillevents/status ${key}: 403 Forbidden`,
    );
    await grant(user, ['list', 'watch', 'patch']);
    await eventually(async () => expect(await one.events.putStatus(key, uid, aStatus('x'))).toBe('written'), PATIENT);
  });

  test('in one of its namespaces keeps it neither from the others nor from telling the routes', async () => {
    const user = randomEventName('user');
    const gone = randomEventName('gone');
    const platform = createKubernetesPlatform({
      ...{ kubeconfigFile: cluster.kubeconfigAs(user), namespace, watchNamespaces: [namespace, gone] },
      ...{ pool: () => aPool(), leaseName: 'none', instance: 'narrow', log: silent, clock: systemClock },
    });
    stops.push(() => platform.close());
    const key = await applied();
    expect(platform.routes()).toBeUndefined();
    const pools = { apiGroups: ['', 'apps', 'autoscaling', 'policy', 'networking.k8s.io'], resources: ['*'] };
    await grant(user, ['list', 'watch'], pools);
    await eventually(() => expect(platform.routes()).toEqual({ events: {} }), PATIENT);
    // It sees no event at all: an operator that does may not be replaced by this one.
    expect(platform.health().ready).toBe(false);
    await grant(user, ['list', 'watch'], { apiGroups: ['*'], resources: ['*'] });
    await eventually(() => expect(platform.health().ready).toBe(true), PATIENT);
    expect((await platform.events.get(key))?.metadata.namespace).toBe(namespace);
    const problem = expect.stringMatching(`list seckillevents of ${gone}: 403 Forbidden`);
    await eventually(() => expect(platform.health().problems).toEqual([problem]), PATIENT);
  });
});

describe('the lease', () => {
  /** As those of a release to each other; long enough that a busy machine renews in time. */
  const TIMES = { durationMs: 10_000, giveUpMs: 7_000, renewMs: 1_000 };

  function candidate(kubeconfigFile: string, name: string, holder: string) {
    const client = createKubeClient({ kubeconfigFile, fieldManager: holder, log: silent, timeoutMs: 2_000 });
    const lease = createKubernetesLease({ client, namespace, name, clock: systemClock });
    const stopping = new AbortController();
    const state = { leading: false };
    const outcome = leadWhenElected(
      { lease, holder, log: silent, signal: stopping.signal, ...TIMES },
      async (signal) => {
        state.leading = true;
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        state.leading = false;
      },
    );
    stops.push(async () => {
      stopping.abort();
      await outcome;
      await client.close();
    });
    return { state, outcome, lease };
  }

  test('survives a dead connection; a leader that is cut off stops before another one leads', async () => {
    const name = randomEventName('lease');
    const { proxy, kubeconfigFile } = await cluster.way();
    const first = candidate(kubeconfigFile, name, 'first');
    await eventually(() => expect(first.state.leading).toBe(true));
    const second = candidate(cluster.kubeconfigFile(), name, 'second');
    const renewed = async () => (await second.lease.read())?.record;
    proxy.freeze();
    const before = (await renewed())?.renewals ?? 0;
    await eventually(async () => expect((await renewed())?.renewals).toBeGreaterThan(before + 2));
    expect(await renewed()).toMatchObject({ holder: 'first', transitions: 0, durationMs: TIMES.durationMs });

    proxy.cut();
    await eventually(
      () => {
        expect(first.state.leading && second.state.leading).toBe(false);
        return second.state.leading;
      },
      { intervalMs: 1 },
    );
    expect(await first.outcome).toBe('lost');
    expect((await renewed())?.transitions).toBe(1);
  });

  test('that is given back has no holder, as the usual tools write it', async () => {
    const name = randomEventName('lease');
    const client = cluster.admin();
    const lease = createKubernetesLease({ client, namespace, name, clock: systemClock });
    const record = { holder: 'a', renewals: 3, durationMs: 15_000, transitions: 1 };
    const version = await lease.write(record, undefined);
    expect(await lease.read()).toEqual({ version, record });
    await lease.write({ ...record, holder: '' }, version);
    expect((await lease.read())?.record.holder).toBe('');
    const object = await client.get<KubeObject & { spec: object }>({
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name },
    });
    expect(object?.spec).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 1 });
    expect(object?.spec).not.toHaveProperty('holderIdentity');
  });
});

test('a check that flaps uses up neither what a phase nor what another event may say', async () => {
  const client = cluster.admin();
  const uidOf = () => 'uid';
  const notices = createKubernetesNotices({ client, uidOf, instance: 'test', clock: systemClock, log: silent });
  const [flapping, other] = [`${namespace}/${randomEventName()}`, `${namespace}/${randomEventName()}`];
  const said = async (key: string) => {
    const { items } = await client.list<NoticeObject>({ apiVersion: 'v1', kind: 'Event', namespace });
    return items.filter(({ involvedObject }) => key.endsWith(`/${involvedObject.name}`)).map(({ reason }) => reason);
  };
  const degraded = { kind: 'Warning', reason: 'Degraded' } as const;
  for (let count = 0; count < 30; count += 1)
    await notices.publish({ event: flapping, ...degraded, message: `it is ${count} times so` });
  const before = await said(flapping);
  expect(before.length).toBeLessThan(30);
  await notices.publish({ event: flapping, kind: 'Normal', reason: 'SoldOut', message: 'no unit is left' });
  await notices.publish({ event: other, ...degraded, message: 'it is so' });
  expect([await said(flapping), await said(other)]).toEqual([
    expect.arrayContaining([...before, 'SoldOut']),
    ['Degraded'],
  ]);
});

test('a calm cluster gets no call but the leases, however often its events are looked at', async ({ annotate }) => {
  const platform = createKubernetesPlatform({
    ...{ kubeconfigFile: cluster.kubeconfigFile(), namespace, watchNamespaces: [namespace], pool: () => aPool() },
    ...{ leaseName: randomEventName('lease'), instance: 'calm', log: silent, clock: systemClock, resyncMs: 200 },
  });
  const keys = await Promise.all(Array.from({ length: 20 }, () => applied()));
  releasedAtTheEnd(...keys);
  const looks = new Map(keys.map((key) => [key, 0]));
  const least = () => Math.min(...looks.values());
  const queue = createKeyQueue({
    log: silent,
    async work(key) {
      const event = await platform.events.get(key);
      const before = looks.get(key);
      if (event === undefined || before === undefined) return {};
      await platform.events.setFinalizer(key, event.metadata.uid, true);
      await platform.events.putStatus(key, event.metadata.uid, aStatus('calm'));
      await platform.notices.publish({ event: key, kind: 'Normal', reason: 'Scheduled', message: 'calm' });
      looks.set(key, before + 1);
      return {};
    },
  });
  const stopping = new AbortController();
  const { lease } = platform;
  const leading = leadWhenElected(
    { lease, holder: 'calm', log: silent, signal: stopping.signal, renewMs: 200 },
    async (signal) => {
      const watch = await platform.events.watch(queue.add);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await watch.stop();
    },
  );
  await eventually(() => expect(least()).toBeGreaterThanOrEqual(2), PATIENT);
  const counts = () => Object.fromEntries(platform.requests().map((one) => [`${one.verb} ${one.resource}`, one.count]));
  const metrics = createMetrics({ role: 'operator' });
  showRequests(metrics, platform);
  expect(await metrics.text()).toMatch(/^seckill_kubernetes_requests_total\{.*verb="create",resource="leases".*\} 1$/m);
  const [before, seen, sinceMs] = [counts(), least(), performance.now()];
  await eventually(() => expect(least()).toBeGreaterThanOrEqual(seen + 10), PATIENT);
  const now = counts();
  const made = Object.keys(now).filter((call) => now[call] !== before[call]);
  expect(made).toEqual(['update leases']);
  const seconds = ((performance.now() - sinceMs) / 1_000).toFixed(1);
  const renewals = (now['update leases'] ?? 0) - (before['update leases'] ?? 0);
  const said = `${keys.length} events, each looked at ${least() - seen} times in ${seconds} s`;
  await annotate(`${said}: 0 reads, 0 writes, and ${renewals} renewals of the lease`);

  stopping.abort();
  await leading;
  await queue.stop();
  await platform.close();
});

test('an event of a laxer release is reported and left alone, and the others are looked after', async () => {
  const schema = structuredClone(await crdObject());
  for (const version of schema.spec.versions)
    version.schema.openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await cluster.admin().apply({ ...schema, metadata: { name: schema.metadata.name } });
  const bad = withField({ ...aManifest() } as never, 'spec.stock.totalUnits', -1) as unknown as Manifest;
  await eventually(() => cluster.apply(bad), PATIENT);
  const one = operator(cluster.kubeconfigFile());
  const good = await applied();
  await sees(one, good);
  const problems = [expect.stringContaining('spec.stock.totalUnits must be')];
  expect(await one.events.get(keyOf(bad))).toMatchObject({ metadata: { name: bad.metadata.name }, problems });
  const names = (await one.events.list()).map(({ metadata }) => metadata.name);
  expect(names).toContain(good.split('/')[1]);
  expect(names).not.toContain(bad.metadata.name);
  expect(await one.events.get(keyOf(bad))).toMatchObject({ problems });
  expect(one.invalid.filter((text) => text === keyOf(bad))).toHaveLength(1);
  await cluster.delete(keyOf(bad));
  await cluster.installCrd();
});

test('a CRD that is missing is named, and its events are seen as soon as it is there, also the second time', async () => {
  const before = operator(cluster.kubeconfigFile());
  await sees(before, await applied());
  await cluster.removeCrd();
  const one = operator(cluster.kubeconfigFile());
  for (const { events } of [before, one])
    await eventually(
      () => expect(events.problems().join()).toContain('is the CustomResourceDefinition of SeckillEvent installed?'),
      PATIENT,
    );
  expect(one.events.synced()).toBe(false);
  await expect(one.events.list()).rejects.toThrow('404');
  await cluster.installCrd();
  const key = await applied();
  for (const each of [before, one]) await sees(each, key);
});

interface CrdObject extends KubeObject {
  spec: { versions: { schema: { openAPIV3Schema: object } }[] };
}

async function crdObject(): Promise<CrdObject> {
  const found = await cluster.admin().get<CrdObject>({
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', namespace: '' },
    name: 'seckillevents.seckill.io',
  });
  if (found === undefined) throw new Error('the CRD is not installed');
  const { metadata, ...rest } = found;
  return { ...rest, metadata: { name: metadata.name } };
}
