import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { canonicalJson, hashOf } from '../../operator/platform/kubernetes/applied-hash.ts';
import { anchor, makeOf } from '../../operator/platform/kubernetes/objects/anchor.ts';
import { poolObjects } from '../../operator/platform/kubernetes/objects/pool.ts';
import { eventOfWorkload, poolNameOf } from '../../operator/platform/kubernetes/pool-names.ts';
import { autoscalerProblem, isAtCeiling, podProblems } from '../../operator/platform/kubernetes/pool-problems.ts';
import { openPoolSettings, readPoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { routeTable } from '../../operator/platform/kubernetes/route-table.ts';
import type { DesiredWorkload } from '../../operator/platform/platform.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aPool, podTemplate } from './pool-settings.ts';

const EVENT = 'shop/phone-x';
const NAME = poolNameOf(EVENT);
const DESIRED: DesiredWorkload = {
  ...{ name: 'shop.phone-x', role: 'seckill', event: EVENT, floor: 2, ceiling: 60, drainSeconds: 15 },
  ...{ cpuUtilization: 70, updates: 'now' },
};
const identity = { event: EVENT, namespace: 'seckill', release: 'seckill', labels: aPool().labels, anchorUid: 'uid-1' };

describe('the name of a pool', () => {
  test('tells namesakes of two namespaces apart, and fits into a label', () => {
    expect(NAME).toMatch(/^ske-[0-9a-f]{10}-phone-x$/);
    expect(poolNameOf('other/phone-x')).not.toBe(NAME);
    const longest = poolNameOf(`${'n'.repeat(63)}/${'e'.repeat(40)}`);
    expect(longest.length).toBeLessThanOrEqual(63);
    expect(eventOfWorkload('shop.phone-x')).toBe(EVENT);
  });
});

describe('the objects of a pool', () => {
  const objects = poolObjects(identity, DESIRED, aPool(), aPool());
  const byKind = new Map(objects.map((object) => [object.kind, object as Record<string, unknown>]));
  const specOf = (kind: string) => byKind.get(kind)?.['spec'];

  test('are five, of one name, with the labels of the pool, owned by its anchor', () => {
    expect([...byKind.keys()]).toEqual([
      ...['Service', 'NetworkPolicy', 'Deployment', 'HorizontalPodAutoscaler', 'PodDisruptionBudget'],
    ]);
    for (const { metadata } of objects) {
      expect(metadata).toMatchObject({
        ...{ name: NAME, namespace: 'seckill', annotations: { 'seckill.io/event': EVENT } },
        labels: {
          ...{ 'app.kubernetes.io/name': 'seckill', 'app.kubernetes.io/component': 'pool' },
          ...{ 'seckill.io/event-namespace': 'shop', 'seckill.io/event-name': 'phone-x' },
          ...{ 'seckill.io/pool': NAME, 'helm.sh/chart': 'seckill-0.1.0' },
        },
        ownerReferences: [{ kind: 'ConfigMap', name: NAME, uid: 'uid-1', blockOwnerDeletion: true }],
      });
    }
    const { metadata } = anchor({ ...identity, anchorUid: undefined }, aPool());
    expect(metadata).not.toHaveProperty('ownerReferences');
    // It would go with the next sync: it has the release's label, and nothing in the chart is like it.
    expect(metadata.annotations).toMatchObject({
      ...{ 'argocd.argoproj.io/compare-options': 'IgnoreExtraneous' },
      ...{ 'argocd.argoproj.io/sync-options': 'Prune=false' },
    });
  });

  test('are a Deployment that names no replicas and spreads the pods of this pool', () => {
    expect(specOf('Deployment')).not.toHaveProperty('replicas');
    expect(specOf('Deployment')).toMatchObject({
      selector: { matchLabels: { 'seckill.io/pool': NAME } },
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: { labels: { 'seckill.io/pool': NAME }, annotations: { note: 'x' } },
        spec: {
          topologySpreadConstraints: [{ maxSkew: 1, labelSelector: { matchLabels: { 'seckill.io/pool': NAME } } }],
        },
      },
    });
  });

  test('are a headless Service, an autoscaler between floor and ceiling, a budget and a policy', () => {
    expect(specOf('Service')).toMatchObject({ clusterIP: 'None', ports: [{ name: 'http', port: 8_080 }] });
    expect(specOf('HorizontalPodAutoscaler')).toMatchObject({
      ...{ minReplicas: 2, maxReplicas: 60, scaleTargetRef: { kind: 'Deployment', name: NAME } },
      metrics: [{ resource: { name: 'cpu', target: { averageUtilization: 70 } } }],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
        scaleDown: { stabilizationWindowSeconds: 300 },
      },
    });
    expect(specOf('PodDisruptionBudget')).toMatchObject({ maxUnavailable: '25%' });
    expect(specOf('NetworkPolicy')).toMatchObject({
      ...{ podSelector: { matchLabels: { 'seckill.io/pool': NAME } }, policyTypes: ['Ingress', 'Egress'] },
      ...{ ingress: aPool().networkPolicy?.ingress, egress: [] },
    });
    const { networkPolicy: _none, ...open } = aPool();
    expect(poolObjects(identity, DESIRED, open, open).map(({ kind }) => kind)).not.toContain('NetworkPolicy');
  });

  test('have a hash that changes with what they are made of, and with nothing else', () => {
    const hash = (...args: Parameters<typeof poolObjects>) =>
      poolObjects(...args).map(({ metadata }) => metadata.annotations['seckill.io/applied']);
    const first = hash(identity, DESIRED, aPool(), aPool());
    expect(hash(identity, { ...DESIRED, drainSeconds: 1, updates: 'wait' }, aPool(), aPool())).toEqual(first);
    const raised = hash(identity, { ...DESIRED, floor: 3 }, aPool(), aPool());
    expect(raised.filter((value, index) => value !== first[index])).toHaveLength(1);
    const other = hash({ ...identity, anchorUid: 'uid-2' }, DESIRED, aPool(), aPool());
    expect(other.filter((value, index) => value === first[index])).toEqual([]);
  });

  test('are remembered by the anchor: of what the pods were made', () => {
    const { data } = anchor(identity, aPool()) as unknown as { data: Record<string, string> };
    expect(makeOf({ data })).toEqual({ podTemplate: podTemplate('1'), port: 8_080 });
    expect(makeOf({ data: { 'make.json': '{' } })).toBeUndefined();
    expect(makeOf(undefined)).toBeUndefined();
  });
});

test('equal values have equal hashes, whatever the order of their keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).reverse());
      expect(hashOf(turned)).toBe(hashOf(value));
    }),
  );
  expect(canonicalJson({ b: 1, a: [{ d: undefined, c: null }] })).toBe('{"a":[{}],"b":1}');
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
});

describe('the problems of a pool', () => {
  const NOW_MS = Date.parse('2026-12-12T12:00:00Z');
  const waiting = (reason: string, message = '') => ({
    status: { containerStatuses: [{ name: 's', image: 'i:1', state: { waiting: { reason, message } } }] },
  });
  const crashed = {
    status: {
      containerStatuses: [
        {
          ...{ name: 's', image: 'i:1', state: { waiting: { reason: 'CrashLoopBackOff' } } },
          lastState: { terminated: { exitCode: 2, reason: 'Error' } },
        },
      ],
    },
  };
  const unready = (sinceMs: number, phase = 'Running') => ({
    status: {
      phase,
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: new Date(NOW_MS - sinceMs) }],
    },
  });
  const unscheduled = {
    status: {
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: no CPU.' }],
    },
  };
  const refused = {
    status: {
      conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'pods "x" is forbidden: exceeded quota' }],
    },
  };
  const problems = (pods: object[], deployment: object = {}) => podProblems(pods as never, deployment as never, NOW_MS);

  test.each([
    [
      'an image that cannot be pulled',
      waiting('ImagePullBackOff', 'not found'),
      /image i:1 cannot be pulled .*not found/,
    ],
    [
      'a Secret that is missing',
      waiting('CreateContainerConfigError', 'secret "redis" not found'),
      /secret "redis" not/,
    ],
    ['a crash loop', crashed, /ends again and again, last with exit code 2 \(Error\)/],
    ['no node', unscheduled, /no node takes it: 0\/1 nodes: no CPU/],
    ['a failing probe', unready(31_000), /its readiness probe fails/],
    ['a volume that is missing', unready(31_000, 'Pending'), /it does not start: a Secret or ConfigMap/],
    ['an eviction', { status: { phase: 'Failed', reason: 'Evicted' } }, /it failed: Evicted/],
  ])('name %s', (_what, pod, sentence) => {
    expect(problems([pod])).toEqual([expect.stringMatching(sentence)]);
  });

  test('count pods with the same cause, and put what concerns all of them first', () => {
    expect(problems([crashed, unscheduled, unscheduled], refused)).toEqual([
      'pods cannot be created: pods "x" is forbidden: exceeded quota',
      '2 pods: no node takes it: 0/1 nodes: no CPU.',
      '1 pod: it ends again and again, last with exit code 2 (Error)',
    ]);
  });

  test('are none of pods that start, stop or serve', () => {
    const ready = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
    const stopping = { ...crashed, metadata: { deletionTimestamp: '2026-12-12T12:00:00Z' } };
    expect(problems([ready, stopping, unready(1_000), waiting('ContainerCreating')])).toEqual([]);
  });

  test('are bounded in number and length', () => {
    const many = Array.from({ length: 50 }, (_, i) => waiting('ErrImagePull', `${i}`.repeat(1_000)));
    expect(problems(many)).toHaveLength(5);
    expect(Math.max(...problems(many).map(({ length }) => length))).toBeLessThanOrEqual(300);
  });

  test('of the autoscaler are its ceiling, and numbers that are missing for long', () => {
    const hpa = (type: string, status: string, reason: string, sinceMs = 0) => ({
      status: {
        conditions: [{ type, status, reason, message: 'no metrics', lastTransitionTime: new Date(NOW_MS - sinceMs) }],
      },
    });
    expect(isAtCeiling(hpa('ScalingLimited', 'True', 'TooManyReplicas') as never)).toBe(true);
    expect(isAtCeiling(hpa('ScalingLimited', 'True', 'TooFewReplicas') as never)).toBe(false);
    const blind = (sinceMs: number) =>
      autoscalerProblem(hpa('ScalingActive', 'False', 'FailedGetResourceMetric', sinceMs) as never, NOW_MS);
    expect(blind(80_000)).toBeUndefined();
    expect(blind(100_000)).toMatch(/does not follow the load: no metrics/);
  });
});

describe('the file of pool settings', () => {
  const dir = tempDir();
  const path = join(dir, 'pool.json');
  const read = (settings: unknown) => {
    writeFileSync(path, typeof settings === 'string' ? settings : JSON.stringify(settings));
    return readPoolSettings(path);
  };
  const changed = (change: (settings: ReturnType<typeof aPool>) => void) => {
    const settings = structuredClone(aPool());
    change(settings);
    return settings;
  };

  test('is read as it is', () => {
    expect(read(aPool())).toEqual(aPool());
    const { networkPolicy: _none, ...open } = aPool();
    expect(read(open)).toEqual(open);
  });

  test.each([
    ['no JSON', '{', /is not JSON/],
    ['no object', [], /the file must be an object, not \[\]/],
    ['no release', { ...aPool(), release: undefined }, /release is missing: it must be the name of the release/],
    ['a label that is no text', { ...aPool(), labels: { a: 1 } }, /labels must be a map of texts, not \{"a":1\}/],
    ['a domain that is none', { ...aPool(), clusterDomain: '' }, /clusterDomain must be a DNS domain, not ""/],
    ['a port that is none', { ...aPool(), port: 0 }, /port must be a port number from 1 to 65535, not 0/],
    ['a field that is none', { ...aPool(), ports: 1 }, /ports is not a field/],
    [
      'no container',
      changed((settings) => settings.podTemplate.spec?.containers.pop()),
      /podTemplate.spec.containers must be a list of at least one container, not \[\]/,
    ],
    [
      'a container that requests no CPU',
      changed((settings) => delete settings.podTemplate.spec?.containers[0]?.resources?.requests?.['cpu']),
      /containers\[0\].resources.requests.cpu is missing: it must be an amount such as "500m"/,
    ],
    [
      'rules that are no list',
      { ...aPool(), networkPolicy: { egress: {} } },
      /networkPolicy.egress must be a list of rules of a NetworkPolicy, not \{\}/,
    ],
    [
      'a budget that is none',
      { ...aPool(), podDisruptionBudget: { maxUnavailable: 'some' } },
      /podDisruptionBudget.maxUnavailable must be a number of pods, or a percentage such as "25%", not "some"/,
    ],
  ])('is refused with a sentence when it has %s', (_what, settings, sentence) => {
    expect(() => read(settings)).toThrow(sentence);
  });

  test('names every wrong field, not only the first', () => {
    expect(() => read({ ...aPool(), port: 0, release: 7 })).toThrow(/release must be[\s\S]*port must be/);
  });

  test('is followed; a later one that is wrong changes nothing', async () => {
    read(aPool());
    const lines: string[] = [];
    const source = openPoolSettings({ path, log: pino({ level: 'error' }, { write: (line) => lines.push(line) }) });
    rmSync(path);
    writeFileSync(path, JSON.stringify(aPool({ port: 9_090 })));
    await eventually(() => expect(source.current().port).toBe(9_090));
    lines.length = 0;
    writeFileSync(path, JSON.stringify({ ...aPool(), port: 0 }));
    await eventually(() => expect(lines.join()).toContain('port must be a port number'));
    expect(source.current().port).toBe(9_090);
    source.close();
  });
});

test('the route table names the address of each pool by its event', () => {
  const of = (event: string, port: number) => anchor({ ...identity, event }, { ...aPool(), port }) as never;
  expect(routeTable([of(EVENT, 8_080), of('other/phone-x', 9_090)], 'example.internal')).toEqual({
    events: {
      [EVENT]: `${NAME}.seckill.svc.example.internal:8080`,
      'other/phone-x': `${poolNameOf('other/phone-x')}.seckill.svc.example.internal:9090`,
    },
  });
});
