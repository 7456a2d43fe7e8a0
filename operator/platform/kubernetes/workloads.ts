import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import type { DesiredWorkload, ObservedWorkload, Workloads } from '../platform.ts';
import { canonicalJson } from './applied-hash.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { ownsAll } from './managed-fields.ts';
import { anchor, makeOf, type PoolMake } from './objects/anchor.ts';
import { poolObjects } from './objects/pool.ts';
import type { PoolIdentity, PoolObject } from './objects/pool-object.ts';
import { APPLIED_ANNOTATION, eventOfWorkload, FIELD_MANAGER, poolNameOf } from './pool-names.ts';
import { autoscalerProblem, isAtCeiling, isReady, podProblems } from './pool-problems.ts';
import type { PoolSettings } from './pool-settings.ts';
import { createPoolView, OWNED_KINDS, type PoolKind, refOfPool } from './pool-view.ts';
import { type RouteTable, routeTable } from './route-table.ts';
import { FIRST_SIGHT_MS, LIFT_ATTEMPTS_MAX } from './workload-limits.ts';

export interface KubernetesWorkloadsOptions {
  client: KubeClient;
  /** The release's: all pools live there. */
  namespace: string;
  /** Whose events' pools are ours; empty: those of all namespaces. */
  watchNamespaces: readonly string[];
  pool: () => PoolSettings;
  log: Log;
  clock: Clock;
}

export interface KubernetesWorkloads extends Workloads {
  /** Resolves when all pools are known. */
  start(): Promise<void>;
  synced(): boolean;
  /** Why what is known of pools may be out of date, a sentence each. */
  problems(): string[];
  /** Every replica of the operator has the same, whether it leads or not. `undefined`: pools have not been seen yet. */
  routes(): RouteTable | undefined;
  close(): Promise<void>;
}

type Replicated = KubeObject & { spec?: { replicas?: number } };

/**
 * Pools of pods as Deployments with what belongs to them, all owned by one anchor. Desired objects are compared with
 * what the API server told last: by the hash of what they were made of, and by the fields that are still ours.
 */
export function createKubernetesWorkloads(options: KubernetesWorkloadsOptions): KubernetesWorkloads {
  const { client, namespace, watchNamespaces, pool: settings, log, clock } = options;
  const { release } = settings();
  const view = createPoolView({ client, namespace, release, log });
  let leading = false;

  /** Before every write: another one may lead since the last. */
  function mustLead(): void {
    if (!leading) throw new Error('only the leader makes, changes and removes pools');
  }

  const isOurs = (event: EventKey): boolean =>
    watchNamespaces.length === 0 || watchNamespaces.includes(event.slice(0, event.indexOf('/')));

  function identityOf(event: EventKey, anchorUid: string | undefined): PoolIdentity {
    return { event, namespace, release, labels: settings().labels, anchorUid };
  }

  /** Applies an object unless it is there as wanted. Answers it as it is now, and whether that was written. */
  async function bring(wanted: PoolObject): Promise<{ object: KubeObject; written: boolean }> {
    const found = view.get(wanted.kind as PoolKind, wanted.metadata.name);
    if (found !== undefined && isAsWanted(found, wanted)) return { object: found, written: false };
    mustLead();
    const object = await client.apply<KubeObject>(wanted as KubeObject);
    view.learn(object);
    log.info({ kind: wanted.kind, name: wanted.metadata.name, existed: found !== undefined }, 'applied');
    return { object, written: true };
  }

  /**
   * Replicas belong to the autoscaler. They are written in two cases only, in which it does nothing: of a Deployment
   * that was just made, and of one that somebody scaled to nothing, which switches the autoscaler off.
   */
  async function lift({ object, written }: { object: KubeObject; written: boolean }, floor: number): Promise<boolean> {
    const ref = refOfPool('Deployment', namespace, object.metadata.name);
    let seen: Replicated | undefined = object;
    for (let attempt = 0; attempt < LIFT_ATTEMPTS_MAX && seen !== undefined; attempt += 1) {
      const { metadata, spec }: Replicated = seen;
      const fresh = written && metadata.generation === 1;
      if ((spec?.replicas ?? 1) >= floor || !(fresh || spec?.replicas === 0)) return false;
      const { resourceVersion = '' } = metadata;
      mustLead();
      const lifted = await client.mergePatch<Replicated>(ref, { spec: { replicas: floor } }, { resourceVersion });
      if (typeof lifted === 'object') view.learn(lifted);
      if (lifted !== 'conflict') return true;
      // Its controller wrote its status meanwhile, or somebody scaled it: look which.
      seen = await client.get<Replicated>(ref);
    }
    return false;
  }

  async function removePolicy(pool: string): Promise<boolean> {
    const found = view.get('NetworkPolicy', pool);
    if (found === undefined || settings().networkPolicy !== undefined) return false;
    mustLead();
    await client.delete(refOfPool('NetworkPolicy', namespace, pool));
    return true;
  }

  function observe(name: string): ObservedWorkload | undefined {
    const pool = poolNameOf(eventOfWorkload(name));
    const [found, deployment] = [view.get('ConfigMap', pool), view.get('Deployment', pool)];
    const pods = view.pods(pool).filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    const left = OWNED_KINDS.some((kind) => view.get(kind, pool) !== undefined);
    const blind = view.blind();
    if (found === undefined && !left && pods.length === 0 && blind === undefined) return undefined;
    const nowMs = clock.nowMs();
    const hpa = view.get('HorizontalPodAutoscaler', pool);
    const unscaled = autoscalerProblem(hpa, nowMs);
    return {
      name,
      pods: pods.length,
      ready: pods.filter(isReady).length,
      wanted: deployment?.spec?.replicas ?? 0,
      problems: [...(blind === undefined ? [] : [blind]), ...podProblems(pods, deployment, nowMs)],
      updatePending: deployment !== undefined && isOutdated(makeOf(found), settings()),
      atCeiling: isAtCeiling(hpa),
      ...(unscaled === undefined ? {} : { autoscalerProblem: unscaled }),
    };
  }

  return {
    start: view.start,
    synced: view.synced,
    problems: view.problems,
    routes() {
      const anchors = view.anchors();
      return anchors === undefined ? undefined : routeTable(anchors, settings().clusterDomain);
    },
    async observe(name) {
      return observe(name);
    },
    async apply(desired) {
      mustLead();
      // Nothing is written to a world that is not seen.
      const blind = view.blind();
      if (blind !== undefined) throw new Error(blind);
      const { event, floor, updates } = desired;
      const pool = poolNameOf(event);
      const present = view.get('ConfigMap', pool);
      // What is being taken away cannot be kept: it is made anew as soon as it is gone.
      if (present?.metadata.deletionTimestamp !== undefined) return 'unchanged';
      const make = makeFor(settings(), updates, view.get('Deployment', pool) && makeOf(present));
      const owner = await bring(anchor(identityOf(event, undefined), make));
      let written = owner.written;
      for (const wanted of poolObjects(identityOf(event, owner.object.metadata.uid), desired, settings(), make)) {
        const brought = await bring(wanted);
        written ||= brought.written;
        if (wanted.kind === 'Deployment') written = (await lift(brought, floor)) || written;
      }
      return (await removePolicy(pool)) || written ? 'applied' : 'unchanged';
    },
    async remove(name) {
      mustLead();
      if (observe(name) === undefined) return 'gone';
      const pool = poolNameOf(eventOfWorkload(name));
      const found = view.get('ConfigMap', pool);
      if (found !== undefined) {
        if (found.metadata.deletionTimestamp === undefined) {
          const { uid } = found.metadata;
          const ref = refOfPool('ConfigMap', namespace, pool);
          await client.delete(ref, { propagation: 'Foreground', ...(uid === undefined ? {} : { uid }) });
          log.info({ pool }, 'the pool is taken away');
        }
        return 'removing';
      }
      // Without its anchor nobody else collects them.
      const left = OWNED_KINDS.filter((kind) => {
        const object = view.get(kind, pool);
        return object !== undefined && object.metadata.deletionTimestamp === undefined;
      });
      await Promise.all(
        left.map((kind) => client.delete(refOfPool(kind, namespace, pool), { propagation: 'Foreground' })),
      );
      return 'removing';
    },
    async watch(onChange) {
      const stop = view.onChange((event) => {
        if (isOurs(event)) onChange(event);
      });
      for (const event of view.events()) {
        if (isOurs(event)) onChange(event);
        else log.warn({ event }, 'a pool stays of a namespace that is not looked after any more');
      }
      return {
        async stop() {
          stop();
        },
      };
    },
    async lead(now) {
      leading = now;
      if (now) await Promise.race([view.start(), delay(FIRST_SIGHT_MS, undefined, { ref: false })]);
    },
    async close() {
      leading = false;
      await view.stop();
    },
  };
}

/** Of what the pods are made: of what the release says, or, while updates wait, of what they were made before. */
function makeFor(settings: PoolSettings, updates: DesiredWorkload['updates'], present: PoolMake | undefined): PoolMake {
  return updates === 'wait' && present !== undefined ? present : makeOfSettings(settings);
}

function makeOfSettings({ podTemplate, port }: PoolSettings): PoolMake {
  return JSON.parse(canonicalJson({ podTemplate, port })) as PoolMake;
}

function isOutdated(make: PoolMake | undefined, settings: PoolSettings): boolean {
  return make !== undefined && canonicalJson(make) !== canonicalJson(makeOfSettings(settings));
}

function isAsWanted(found: KubeObject, wanted: PoolObject): boolean {
  const { annotations = {} } = found.metadata;
  return (
    annotations[APPLIED_ANNOTATION] === wanted.metadata.annotations[APPLIED_ANNOTATION] &&
    ownsAll(found as object, FIELD_MANAGER, wanted)
  );
}
