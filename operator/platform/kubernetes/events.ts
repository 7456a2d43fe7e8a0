import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../../../services/kit/log.ts';
import { FINALIZER } from '../../api/annotations.ts';
import type { EventKey, RefusedEvent, SeckillEvent } from '../../api/seckill-event.ts';
import type { SeckillEventStatus } from '../../api/status.ts';
import type { EventStore, Watch } from '../platform.ts';
import type { KubeClient } from './client.ts';
import { createInformer, type Informer } from './informer.ts';
import { KubeError } from './kube-error.ts';
import { CONFLICT_RETRIES_MAX, CONFLICT_WAIT_FIRST_MS, CONFLICT_WAIT_MAX_MS } from './limits.ts';
import type { ObjectChange } from './object-cache.ts';
import { eventRef, keyOf, readEvent, SECKILL_EVENT, type SeckillEventObject } from './seckill-events.ts';

export interface KubernetesEvents extends EventStore {
  /** Resolves when all events are known for the first time. */
  start(): Promise<void>;
  /** The object's identity for notices, also of an event whose spec is not valid. */
  uidOf(key: EventKey): string | undefined;
  /** Why what is known of events may be out of date; empty when all is well. */
  problems(): string[];
  /**
   * All events that we may see are known. One namespace that is gone or closed to us must not take the others along;
   * where nothing may be seen, nothing is known.
   */
  synced(): boolean;
  lastEventAgeMs(): number;
  close(): Promise<void>;
}

/** What was last written as a status, and what became of it. */
interface Written {
  uid: string;
  wanted: SeckillEventStatus;
  stored: SeckillEventStatus | undefined;
}

/**
 * SeckillEvents of some namespaces, or of all. Reading costs no call: one informer a namespace, or one for all, knows
 * them. Our own writes are in it at once, so that the next look sees the last one's status.
 */
export function createKubernetesEvents(options: {
  client: KubeClient;
  /** Empty: all namespaces. */
  watchNamespaces: readonly string[];
  log: Log;
  /** An object that this release cannot accept was met: once for each of its versions. */
  onInvalid?: (key: EventKey, problems: string[]) => void;
  resyncMs?: number;
  staleMs?: number;
}): KubernetesEvents {
  const { client, watchNamespaces, log, onInvalid, resyncMs, staleMs } = options;
  const times = { ...(resyncMs === undefined ? {} : { resyncMs }), ...(staleMs === undefined ? {} : { staleMs }) };
  const informers = new Map<string, Informer<SeckillEventObject>>();
  for (const namespace of watchNamespaces.length === 0 ? [''] : watchNamespaces)
    informers.set(namespace, createInformer({ client, kind: SECKILL_EVENT, namespace, log, ...times }));
  const all = [...informers.values()];
  /** Objects are replaced, never changed: what was made of one stays true for it. */
  const read = new WeakMap<SeckillEventObject, SeckillEvent | RefusedEvent>();
  const written = new Map<EventKey, Written>();

  function informerOf(key: EventKey): Informer<SeckillEventObject> | undefined {
    return informers.get('') ?? informers.get(eventRef(key).namespace);
  }

  function cached(key: EventKey): SeckillEventObject | undefined {
    const { namespace, name } = eventRef(key);
    return informerOf(key)?.get(namespace, name);
  }

  function convert(object: SeckillEventObject): SeckillEvent | RefusedEvent {
    const known = read.get(object) ?? readEvent(object);
    if (!read.has(object) && 'problems' in known) {
      log.warn(
        { event: keyOf(object), problems: known.problems },
        'the spec of an event is not valid, and not followed',
      );
      onInvalid?.(keyOf(object), known.problems);
    }
    read.set(object, known);
    return known;
  }

  /** An event that is not known because nothing is known yet must not be taken for one that is gone. */
  function requireSynced(key?: EventKey): void {
    const asked = key === undefined ? all : [informerOf(key)].filter((informer) => informer !== undefined);
    const unknown = asked.find((informer) => !informer.synced());
    if (unknown !== undefined) throw unreadable('read SeckillEvents', unknown.problem() ?? 'they are not known yet');
  }

  async function get(key: EventKey): Promise<SeckillEvent | RefusedEvent | undefined> {
    requireSynced(key);
    const object = cached(key);
    return object === undefined ? undefined : convert(object);
  }

  function isWritten(key: EventKey, current: SeckillEventObject, wanted: SeckillEventStatus): boolean {
    if (isDeepStrictEqual(current.status, wanted)) return true;
    // An older CRD drops fields that it does not know: then what came of the same wish is still there.
    const last = written.get(key);
    return (
      last !== undefined &&
      last.uid === current.metadata.uid &&
      isDeepStrictEqual(last.wanted, wanted) &&
      isDeepStrictEqual(last.stored, current.status)
    );
  }

  /** The object of that uid as it is now: the known one, or after a conflict the API's. */
  async function current(key: EventKey, uid: string, fresh: boolean): Promise<SeckillEventObject | undefined> {
    const object = fresh ? await client.get<SeckillEventObject>(eventRef(key)) : cached(key);
    return object?.metadata.uid === uid ? object : undefined;
  }

  return {
    async start() {
      await Promise.all(all.map((informer) => informer.start()));
    },
    get,
    async list() {
      requireSynced();
      const events = all.flatMap((informer) => informer.list()).map(convert);
      return events.filter((event): event is SeckillEvent => !('problems' in event));
    },
    async watch(onChange): Promise<Watch> {
      const tell = (change: ObjectChange<SeckillEventObject>) => {
        if (change.type === 'deleted') written.delete(keyOf(change.object));
        if (concernsUs(change)) onChange(keyOf(change.object));
      };
      const stops = all.map((informer) => informer.onChange(tell));
      for (const informer of all) for (const object of informer.list()) onChange(keyOf(object));
      return {
        async stop() {
          for (const stop of stops) stop();
        },
      };
    },
    async putStatus(key, uid, status) {
      const object = cached(key);
      if (object === undefined || object.metadata.uid !== uid) return 'gone';
      const wanted = JSON.parse(JSON.stringify(status)) as SeckillEventStatus;
      if (isWritten(key, object, wanted)) return 'unchanged';
      const { namespace, name } = eventRef(key);
      // The uid keeps a status from a namesake, and from making an object that was deleted meanwhile.
      const patch = { ...SECKILL_EVENT, metadata: { namespace, name, uid }, status: wanted };
      const answer = await client.applyStatus<SeckillEventObject>(patch);
      if (answer === undefined) return 'gone';
      written.set(key, { uid, wanted, stored: answer.status });
      informerOf(key)?.learn(answer);
      return 'written';
    },
    async setFinalizer(key, uid, present) {
      for (let attempt = 0; attempt < CONFLICT_RETRIES_MAX; attempt += 1) {
        const object = await current(key, uid, attempt > 0);
        if (object === undefined) return 'gone';
        const { finalizers = [], deletionTimestamp, resourceVersion = '' } = object.metadata;
        // Nobody may hold back an object that is on its way out already.
        if (finalizers.includes(FINALIZER) === present || (present && deletionTimestamp !== undefined))
          return 'unchanged';
        const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
        const wanted = { metadata: { finalizers: present ? [...others, FINALIZER] : others } };
        // The version stands for the uid, too: it is that of the object that was read.
        const answer = await client.mergePatch<SeckillEventObject>(eventRef(key), wanted, { resourceVersion });
        if (answer === 'gone') return 'gone';
        if (answer === 'conflict') {
          const ms = Math.min(CONFLICT_WAIT_FIRST_MS * 2 ** attempt, CONFLICT_WAIT_MAX_MS);
          await delay(ms * (0.5 + 0.5 * Math.random()));
          continue;
        }
        informerOf(key)?.learn(answer);
        return 'written';
      }
      throw unreadable(`patch SeckillEvent ${key}`, `it was changed by others ${CONFLICT_RETRIES_MAX} times in a row`);
    },
    uidOf: (key) => cached(key)?.metadata.uid,
    problems: () => all.map((informer) => informer.problem()).filter((problem) => problem !== undefined),
    synced: () =>
      all.every((informer) => informer.synced() || informer.refused()) && all.some((informer) => informer.synced()),
    lastEventAgeMs: () => Math.max(...all.map((informer) => informer.lastEventAgeMs())),
    async close() {
      await Promise.all(all.map((informer) => informer.stop()));
    },
  };
}

/**
 * A change of the status alone is ours, and never wakes us up. A resync has the same object before and after: it does.
 */
function concernsUs({ type, object, before }: ObjectChange<SeckillEventObject>): boolean {
  if (type !== 'changed' || before === undefined || before === object) return true;
  const relevant = ({ metadata }: SeckillEventObject) => {
    const { uid, generation, labels, annotations, finalizers, deletionTimestamp } = metadata;
    return { uid, generation, labels, annotations, finalizers, deletionTimestamp };
  };
  return !isDeepStrictEqual(relevant(object), relevant(before));
}

function unreadable(what: string, message: string): KubeError {
  return new KubeError(what, { status: 0, reason: 'NotUsable', message });
}
