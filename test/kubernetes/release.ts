import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Manifest } from '../../operator/api/seckill-event.ts';
import type { Phase, SeckillEventStatus } from '../../operator/api/status.ts';
import type { EffectDeps } from '../../operator/effects/deps.ts';
import { createEffects } from '../../operator/effects/effects.ts';
import { lead } from '../../operator/operator.ts';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import type { KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { createKubernetesPlatform, type KubernetesPlatform } from '../../operator/platform/kubernetes/kubernetes.ts';
import { poolNameOf } from '../../operator/platform/kubernetes/pool-names.ts';
import { OWNED_KINDS, refOfPool } from '../../operator/platform/kubernetes/pool-view.ts';
import { eventRef, type SeckillEventObject } from '../../operator/platform/kubernetes/seckill-events.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { saidOf } from '../faults/record.ts';
import { type Bed, type OperatorProcess, platformOfFile } from '../operator/bed.ts';
import { keyOf, newManifest } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Cluster, clusterOfFile } from './cluster.ts';
import { aPool } from './pool-settings.ts';

/** Leases last 15 s here, and the garbage collector has its own pace. */
export const SLOW = { deadlineMs: 90_000, intervalMs: 100 };

export type Sale = Manifest & { key: string; pool: string };
type PodObject = KubeObject & { status: { conditions?: { type: string; status: string }[] } };

/** What the kubelet of a node says of a pod; `ready` unless a test says otherwise. */
export type PodStory = 'ready' | { reason: string; message: string };

export interface ReleaseBed {
  readonly cluster: Cluster;
  /** Redis, Kafka and MariaDB with what belongs to them. */
  readonly bed: Bed;
  readonly poolFile: string;
  /** Something to be ended after the test, also when it failed; what came last ends first. */
  onEnd(stop: () => Promise<void>): void;
  /** From now on the pods of this pool are told of like this; there is no node that could say so. */
  tellOfPods(pool: string, story: PodStory): void;
  /** A sale in a namespace of its own, open at once unless said otherwise. */
  aSale(fields?: Record<string, unknown>): Promise<Sale>;
  apply(manifest: Manifest): Promise<void>;
  find(key: string): Promise<SeckillEventObject | undefined>;
  reaches(key: string, phase: Phase): Promise<SeckillEventObject>;
  /** Waits for a status that fits. */
  says(key: string, fits: (status: SeckillEventStatus) => void): Promise<SeckillEventStatus>;
  /**
   * Waits until `right` passes. Answers what the condition said: when it was first seen not to be true, or else at last.
   */
  saidUntil(key: string, type: string, right: () => Promise<void>): Promise<string>;
  /** Fails unless so many pods that are not `former` ones are ready. Answers their uids. */
  podsAreReady(namespace: string, pool: string, count: number, former?: readonly string[]): Promise<string[]>;
  poolObjectsOf(release: string, pool: string): Promise<string[]>;
  isGone(release: string, pool: string): Promise<void>;
  pidOf(role: 'redis' | 'kafka' | 'mariadb'): Promise<number>;
  /** operator/main.ts as a child, ready. */
  operatorOf(release: string, kubeconfigFile?: string): Promise<OperatorProcess & { url: string }>;
  /** A leader that nobody elected, inside of the test. */
  forcedLeader(release: string, options?: LeaderChoice): { platform: KubernetesPlatform; stop(): Promise<void> };
}

interface LeaderChoice {
  watchNamespaces?: string[];
  kubeconfigFile?: string;
  /** What it works with instead of the bed's own. */
  deps?: Partial<EffectDeps>;
}

export const inS = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();

/** A release of a test file in a control plane of its own, without any operator: tests bring theirs. */
export function releaseOfFile(): ReleaseBed {
  const cluster = clusterOfFile({ controllers: true });
  const bed = platformOfFile();
  const poolFile = join(tempDir(), 'pool.json');
  const stops: (() => Promise<void>)[] = [];
  const stories = new Map<string, PodStory>();
  let kubelet: NodeJS.Timeout | undefined;

  beforeAll(() => {
    writeFileSync(poolFile, JSON.stringify(aPool()));
    kubelet = setInterval(() => void tellOfPods().catch(() => {}), 250);
  });
  // Whatever a test that failed left would lead beside its second attempt.
  afterEach(async () => {
    await bed.killOperators();
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  afterAll(() => clearInterval(kubelet));

  /** There is no node: what a kubelet would say of a pod is said by this file. */
  async function tellOfPods(): Promise<void> {
    const { ask } = cluster.plane();
    const { items } = await cluster.admin().list<PodObject>({
      ...{ apiVersion: 'v1', kind: 'Pod', labelSelector: 'app.kubernetes.io/component=pool' },
    });
    for (const { metadata, status, ...pod } of items) {
      const story = stories.get(metadata.labels?.['seckill.io/pool'] ?? '') ?? 'ready';
      const said = statusOf(story, status);
      if (said === undefined) continue;
      const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`;
      await ask('PUT', path, { ...pod, metadata, status: said });
    }
  }

  const release: ReleaseBed = {
    cluster,
    bed,
    poolFile,
    onEnd: (stop) => stops.push(stop),
    tellOfPods: (pool, story) => stories.set(pool, story),

    async aSale(fields = {}) {
      const manifest = newManifest({
        'metadata.namespace': await cluster.namespace(),
        'spec.schedule.startTime': inS(-1),
        'spec.schedule.endTime': inS(3_600),
        ...fields,
      });
      return Object.assign(manifest, { key: keyOf(manifest), pool: poolNameOf(keyOf(manifest)) });
    },

    apply: ({ apiVersion, kind, metadata, spec }) => cluster.apply({ apiVersion, kind, metadata, spec }),
    find: (key) => cluster.admin().get<SeckillEventObject>(eventRef(key)),

    reaches: (key, phase) =>
      eventually(async () => {
        const found = await release.find(key);
        expect(found?.status?.phase).toBe(phase);
        return found as SeckillEventObject;
      }, SLOW),

    says: (key, fits) =>
      eventually(async () => {
        const status = (await release.find(key))?.status;
        if (status === undefined) throw new Error(`${key} has no status`);
        fits(status);
        return status;
      }, SLOW),

    async saidUntil(key, type, right) {
      let said: { text: string; isTrue: boolean } | undefined;
      await eventually(async () => {
        const status = (await release.find(key))?.status;
        const isTrue = status?.conditions.find((one) => one.type === type)?.status === 'True';
        if (status !== undefined && said?.isTrue !== false) said = { text: saidOf(status, type), isTrue };
        await right();
      }, SLOW);
      // It was right again before anybody could have said otherwise.
      return said?.isTrue === true ? `${said.text} (as it was)` : (said?.text ?? '');
    },

    async podsAreReady(namespace, pool, count, former = []) {
      const labelSelector = `seckill.io/pool=${pool}`;
      const { items } = await cluster
        .admin()
        .list<PodObject>({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector });
      const fresh = items.filter(({ metadata }) => !former.includes(metadata.uid ?? ''));
      const ready = fresh.filter(({ status }) => isSaid(status, 'Ready', 'True'));
      expect(ready).toHaveLength(count);
      return ready.map(({ metadata }) => metadata.uid ?? '');
    },

    async poolObjectsOf(namespace, pool) {
      const kinds = ['ConfigMap', ...OWNED_KINDS] as const;
      const found = await Promise.all(kinds.map((kind) => cluster.admin().get(refOfPool(kind, namespace, pool))));
      return found.flatMap((object) => object?.kind ?? []);
    },

    async isGone(namespace, pool) {
      await eventually(async () => expect(await release.poolObjectsOf(namespace, pool)).toEqual([]), SLOW);
      const pods = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: `seckill.io/pool=${pool}` };
      await eventually(async () => expect((await cluster.admin().list(pods)).items).toEqual([]), SLOW);
    },

    async pidOf(wanted) {
      const records = (await listRecords(stateFolder(bed.dir).processes)).map(({ value }) => value);
      const pid = records.find(({ role }) => role === wanted)?.identity?.pid;
      if (pid === undefined) throw new Error(`this file has a server of its own for ${wanted}`);
      return pid;
    },

    async operatorOf(namespace, kubeconfigFile = cluster.kubeconfigFile()) {
      const port = await freePort();
      const operator = await bed.operator({
        ...{ SECKILL_PLATFORM: 'kubernetes', KUBECONFIG: kubeconfigFile, SECKILL_NAMESPACE: namespace },
        ...{ SECKILL_POOL_FILE: poolFile, SECKILL_TOKEN_SECRET: 'token-keys', SECKILL_PORT: String(port) },
        SECKILL_STATE_DIR: '',
      });
      const url = `http://127.0.0.1:${port}`;
      await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), SLOW);
      return { ...operator, url };
    },

    forcedLeader(namespace, { deps: instead, ...options } = {}) {
      const deps = { ...bed.deps, ...instead };
      const platform = createKubernetesPlatform({
        ...{ kubeconfigFile: cluster.kubeconfigFile(), watchNamespaces: [], ...options },
        ...{ namespace, pool: aPool, leaseName: 'nobody-asks', instance: 'test', log: deps.log, clock: systemClock },
      });
      const stopping = new AbortController();
      const leading = lead(
        { platform, effects: createEffects(deps), admin: deps.admin, replicationFactor: 1, log: deps.log },
        stopping.signal,
      );
      let stopped: Promise<void> | undefined;
      async function stop(): Promise<void> {
        stopping.abort();
        await leading;
        await platform.close();
      }
      const once = () => {
        stopped ??= stop();
        return stopped;
      };
      stops.push(once);
      return { platform, stop: once };
    },
  };
  return release;
}

const isSaid = ({ conditions = [] }: PodObject['status'], wanted: string, value: string): boolean =>
  conditions.some(({ type, status }) => type === wanted && status === value);

/** The status that a kubelet would write now, unless it stands there already. */
function statusOf(story: PodStory, status: PodObject['status']): object | undefined {
  const { conditions = [] } = status;
  if (story === 'ready') {
    if (isSaid(status, 'Ready', 'True')) return undefined;
    const others = conditions.filter(({ type }) => type !== 'Ready');
    return { ...status, containerStatuses: [], conditions: [...others, { type: 'Ready', status: 'True' }] };
  }
  if (isSaid(status, 'PodScheduled', 'True') && JSON.stringify(status).includes(story.reason)) return undefined;
  const container = { name: 'seckill', image: 'registry.local/seckill:1', imageID: '', restartCount: 0, ready: false };
  return {
    ...status,
    // A node took it: what hinders it is not the scheduler, which finds no node here.
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False' },
    ],
    containerStatuses: [{ ...container, state: { waiting: story } }],
  };
}
