import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../services/kit/log.ts';
import type { KubeClient, KubeObject } from './client.ts';
import type { KindRef } from './kinds.ts';
import { isKubeError, type KubeError, type KubeFailure } from './kube-error.ts';
import {
  RECONNECT_FIRST_MS,
  RECONNECT_MAX_MS,
  RESYNC_MS,
  UNAVAILABLE_RETRY_MAX_MS,
  WATCH_SHORT_MS,
  WATCH_STALE_MS,
  WATCH_TIMEOUT_SECONDS,
} from './limits.ts';
import { createObjectCache, type ObjectChange } from './object-cache.ts';

export interface InformerOptions {
  client: KubeClient;
  kind: KindRef;
  /** Absent or empty: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  /** Who manages which field is half of an object: left out, unless somebody asks for it. */
  keepManagers?: boolean;
  log: Log;
  resyncMs?: number;
  staleMs?: number;
}

/** The objects of one kind, kept up to date by one list and one watch. */
export interface Informer<T> {
  /** Resolves when the objects are known for the first time, or when it is stopped before. Never rejects. */
  start(): Promise<void>;
  get(namespace: string, name: string): T | undefined;
  list(): T[];
  /**
   * Tells of every change from now on, in their order; and of all objects, as `changed`, at each resync and after each
   * failure, because a change may have been acted upon in vain. `before` is the same object then.
   */
  onChange(listener: (change: ObjectChange<T>) => void): () => void;
  /** The answer to a write of our own counts at once; the watch may tell it later. */
  learn(object: T): void;
  /** Milliseconds since the server said anything, even that nothing happens. */
  lastEventAgeMs(): number;
  synced(): boolean;
  /** The server says that there is no such kind, or that we may not see it: only a person changes that. */
  refused(): boolean;
  /** Why the objects may be out of date, in a sentence; `undefined` when all is well. */
  problem(): string | undefined;
  stop(): Promise<void>;
}

/**
 * List, then watch from there, for ever. A watch that ends goes on from the last version it heard of; only a version
 * that the server no longer has costs another list. A kind that is missing or forbidden is asked for until it is there.
 */
export function createInformer<T extends KubeObject>(options: InformerOptions): Informer<T> {
  const { client, kind, namespace = '', labelSelector, resyncMs = RESYNC_MS, staleMs = WATCH_STALE_MS } = options;
  const log = options.log.child({ kind: kind.kind, ...(namespace === '' ? {} : { namespace }) });
  const selection = { ...kind, namespace, ...(labelSelector === undefined ? {} : { labelSelector }) };
  const cache = createObjectCache<T>();
  const listeners = new Set<(change: ObjectChange<T>) => void>();
  const stopping = new AbortController();
  const first = Promise.withResolvers<void>();
  let running: Promise<void> | undefined;
  let resync: NodeJS.Timeout | undefined;
  let forgetWake: (() => void) | undefined;
  let listed = false;
  /** The version from which the next watch goes on; `undefined` asks for a list. */
  let position: string | undefined;
  let problem: string | undefined = 'the first list has not come yet';
  /** Failures of the same kind in a row, since a watch has lived for a while. */
  let failed: { failure: KubeFailure; times: number } | undefined;
  let heardAtMs = Number.NEGATIVE_INFINITY;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let watching = new AbortController();
  let pausing = new AbortController();

  function kept(object: T): T {
    if (options.keepManagers === true) return object;
    const { managedFields: _, ...metadata } = object.metadata;
    return { ...object, metadata };
  }

  function tell(changes: ObjectChange<T>[]): void {
    for (const change of changes) for (const listener of listeners) listener(change);
  }

  function tellAll(): void {
    tell(cache.list().map((object) => ({ type: 'changed', object, before: object })));
  }

  async function relist(): Promise<void> {
    const { items, resourceVersion } = await client.list<T>(selection);
    position = resourceVersion;
    heardAtMs = performance.now();
    tell(cache.replace(items.map(kept)));
    listed = true;
    first.resolve();
  }

  async function follow(resourceVersion: string): Promise<void> {
    const { signal } = watching;
    const watchdog = setTimeout(() => {
      log.warn({ staleMs }, 'a watch fell silent, and is opened again');
      watching.abort();
    }, staleMs);
    const heard = () => {
      heardAtMs = performance.now();
      watchdog.refresh();
    };
    // Not all watches shall end in the same second.
    const timeoutSeconds = Math.round(WATCH_TIMEOUT_SECONDS * (0.8 + 0.4 * Math.random()));
    try {
      const changes = await client.watch<T>({ ...selection, resourceVersion, timeoutSeconds }, signal);
      heard();
      if (failed !== undefined) {
        log.info({ problem }, 'objects are followed again');
        tellAll();
      }
      problem = undefined;
      for await (const { type, object } of changes) {
        heard();
        position = object.metadata.resourceVersion ?? position;
        if (type === 'DELETED') tell(cache.remove(kept(object)));
        else if (type !== 'BOOKMARK') tell(cache.put(kept(object)));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** What went wrong is told once, and not again as long as it stays the same. */
  function note(error: KubeError): void {
    const { failure } = error;
    // What was missing has been empty meanwhile, whatever the versions say.
    if (failure === 'expired' || failure === 'missing') position = undefined;
    const hint = failure === 'missing' ? ` (is the CustomResourceDefinition of ${kind.kind} installed?)` : '';
    if (failed?.failure !== failure) log.warn({ err: error }, `objects cannot be followed${hint}`);
    problem = `${error.message}${hint}`;
  }

  function refused(): boolean {
    return failed?.failure === 'missing' || failed?.failure === 'forbidden';
  }

  /** The first list after 410 comes at once; everything else waits a little, and longer each time. */
  async function pause(failure: KubeFailure): Promise<void> {
    failed = { failure, times: failed?.failure === failure ? failed.times + 1 : 1 };
    if (failure === 'expired' && failed.times === 1) return;
    const longestMs = refused() ? UNAVAILABLE_RETRY_MAX_MS : RECONNECT_MAX_MS;
    const ms = Math.min(RECONNECT_FIRST_MS * 2 ** Math.min(failed.times - 1, 10), longestMs);
    pausing = new AbortController();
    await delay(ms * (0.5 + 0.5 * Math.random()), undefined, { signal: pausing.signal }).catch(() => {});
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      watching = new AbortController();
      triedAtMs = performance.now();
      let failure: KubeFailure | undefined;
      try {
        if (position === undefined) await relist();
        if (position !== undefined && !stopping.signal.aborted) await follow(position);
      } catch (error) {
        // Only the API may fail; a listener that throws has broken an invariant.
        if (!isKubeError(error)) throw error;
        // A watch that was ended on purpose is opened again at once, from where it was.
        if (!watching.signal.aborted) {
          note(error);
          failure = error.failure;
        }
      }
      const lived = performance.now() - triedAtMs >= WATCH_SHORT_MS;
      if (lived && problem === undefined) failed = undefined;
      if (failure !== undefined) await pause(failure);
      else if (!lived && !watching.signal.aborted) await pause('unreachable');
    }
  }

  /** The server answers again: whoever waits need not, and a connection that was silent since may be a dead one. */
  function wake(sinceMs: number): void {
    pausing.abort();
    if (Math.max(heardAtMs, triedAtMs) < sinceMs) watching.abort();
    tellAll();
  }

  return {
    start() {
      if (running === undefined) {
        running = run();
        resync = setInterval(tellAll, resyncMs);
        forgetWake = client.onRecovered(wake);
      }
      return first.promise;
    },
    get: cache.get,
    list: cache.list,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    learn: (object) => tell(cache.learn(kept(object))),
    lastEventAgeMs: () => performance.now() - heardAtMs,
    synced: () => listed,
    refused,
    problem: () => problem,
    async stop() {
      stopping.abort();
      watching.abort();
      pausing.abort();
      clearInterval(resync);
      forgetWake?.();
      first.resolve();
      await running;
    },
  };
}
