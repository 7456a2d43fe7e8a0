import type { Log } from '../../../services/kit/log.ts';
import { connectKubernetes } from './connection.ts';
import { collectionPath, groupOf, type KindRef, type ObjectRef, objectPath, resourceOf } from './kinds.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import { LIST_PAGE_OBJECTS, LIST_PAGES_MAX, REQUEST_TIMEOUT_MS } from './limits.ts';
import { type Call, createTransport, type RequestCount } from './transport.ts';

export interface KubeMetadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: object[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** What is common to all objects; callers name the rest in types of their own. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: KubeMetadata;
}

export interface Selection extends KindRef {
  /** Empty or absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
}

export interface WatchChange<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/**
 * The API server, as plain values: an object that is not there and a write that came too late are answers, everything
 * else is a KubeError that names the verb, the object and the server's reason. Every call ends by its timeout. Nothing
 * is retried here but 429: whoever calls knows when to come again.
 */
export interface KubeClient {
  get<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined>;
  /** Server-side apply by our field manager, which takes over fields that others hold. Makes the object if absent. */
  apply<T extends KubeObject>(object: T): Promise<T>;
  /** The same for the status. `undefined`: the object is gone, or is another one than `metadata.uid` says. */
  applyStatus<T extends KubeObject>(object: T): Promise<T | undefined>;
  /** JSON merge patch. `conflict`: the object is of another `resourceVersion` by now. */
  mergePatch<T extends KubeObject>(
    ref: ObjectRef,
    patch: object,
    options?: { resourceVersion?: string },
  ): Promise<T | 'conflict' | 'gone'>;
  create<T extends KubeObject>(object: T): Promise<T | 'exists'>;
  /** Writes the whole object if it still is of `metadata.resourceVersion`. */
  replace<T extends KubeObject>(object: T): Promise<T | 'conflict' | 'gone'>;
  /** `gone`: it was not there, or the one that is there has another uid. */
  delete(
    ref: ObjectRef,
    options?: { propagation?: 'Foreground' | 'Background'; uid?: string },
  ): Promise<'deleting' | 'gone'>;
  list<T extends KubeObject>(selection: Selection): Promise<{ items: T[]; resourceVersion: string }>;
  /**
   * Resolves when the watch is open: the changes after `resourceVersion`, until the server ends it or `signal` is
   * aborted. A version that is too old is an `expired` KubeError, at the opening or in the middle.
   */
  watch<T extends KubeObject>(
    selection: Selection & { resourceVersion: string; timeoutSeconds: number },
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchChange<T>>>;
  /** Whether the server has this group and version (`metrics.k8s.io/v1beta1`), by itself or by one behind it. */
  serves(apiVersion: string): Promise<boolean>;
  /** Calls since the start, refused ones included. */
  requests(): RequestCount[];
  /**
   * Tells that the server answers again, after calls had no answer: since when (by `performance.now()`) they had none.
   * Answers how to stop listening.
   */
  onRecovered(listener: (sinceMs: number) => void): () => void;
  /** Another client of the same server found this: whoever listens here is told, and silent connections are renewed. */
  recovered(sinceMs: number): void;
  close(): Promise<void>;
}

const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

/** By a kubeconfig file, or as the service account of this pod when there is none. */
export function createKubeClient(options: {
  kubeconfigFile?: string | undefined;
  /** Of the kubeconfig; its current one when absent. */
  context?: string | undefined;
  fieldManager: string;
  log: Log;
  timeoutMs?: number;
}): KubeClient {
  const { fieldManager, log, timeoutMs = REQUEST_TIMEOUT_MS } = options;
  const connection = connectKubernetes(options);
  const transport = createTransport(connection, { timeoutMs });
  log.debug({ server: connection.server }, 'the Kubernetes API server');

  return {
    get: (ref) => transport.call<never>(onObject('get', 'GET', ref)).catch(orWhen({ missing: undefined })),
    apply: (object) => {
      const call = onObject('patch', 'PATCH', refOf(object));
      const query = { fieldManager, force: 'true' };
      return transport.call({ ...call, ...named('apply', call), query, body: object, contentType: APPLY });
    },
    applyStatus: (object) => {
      const call = onStatus(onObject('patch', 'PATCH', refOf(object)));
      const query = { fieldManager, force: 'true' };
      return transport
        .call<never>({ ...call, ...named('apply', call), query, body: object, contentType: APPLY })
        .catch(orWhen({ missing: undefined, conflict: undefined }));
    },
    mergePatch: (ref, patch, { resourceVersion } = {}) => {
      const { metadata = {}, ...rest } = patch as { metadata?: object };
      const body = resourceVersion === undefined ? patch : { ...rest, metadata: { ...metadata, resourceVersion } };
      const call = { ...onObject('patch', 'PATCH', ref), query: { fieldManager }, body, contentType: MERGE };
      return transport.call<never>(call).catch(orWhen({ missing: 'gone', conflict: 'conflict' }));
    },
    create: (object) => {
      const ref = refOf(object);
      const call = { ...onObject('create', 'POST', ref), path: collectionPath(ref, ref.namespace) };
      return transport.call<never>({ ...call, query: { fieldManager }, body: object }).catch((error: unknown) => {
        // The same status says that its namespace is being deleted: that is no success.
        if (error instanceof KubeError && error.reason === 'AlreadyExists') return 'exists' as const;
        throw error;
      });
    },
    replace: (object) =>
      transport
        .call<never>({ ...onObject('update', 'PUT', refOf(object)), query: { fieldManager }, body: object })
        .catch(orWhen({ missing: 'gone', conflict: 'conflict' })),
    delete: async (ref, { propagation = 'Background', uid } = {}) => {
      const preconditions = uid === undefined ? {} : { preconditions: { uid } };
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: propagation, ...preconditions };
      const answer = await transport
        .call<unknown>({ ...onObject('delete', 'DELETE', ref), body })
        .catch(orWhen({ missing: 'gone', conflict: 'gone' }));
      return answer === 'gone' ? 'gone' : 'deleting';
    },
    async list<T extends KubeObject>(selection: Selection) {
      const items: T[] = [];
      let next: string | undefined;
      for (let page = 0; page < LIST_PAGES_MAX; page += 1) {
        const call = onSelection('list', selection, {
          limit: String(LIST_PAGE_OBJECTS),
          ...(next === undefined ? {} : { continue: next }),
        });
        const found = await transport.call<{
          metadata: { resourceVersion: string; continue?: string };
          items: Omit<T, keyof KindRef>[];
        }>(call);
        // Items of a list do not say what they are.
        const { apiVersion, kind } = selection;
        for (const item of found.items) items.push({ apiVersion, kind, ...item } as T);
        next = found.metadata.continue;
        if (!next) return { items, resourceVersion: found.metadata.resourceVersion };
      }
      throw new KubeError(`list ${selection.kind}`, {
        ...{
          status: 0,
          reason: 'TooMany',
          message: `there are more than ${LIST_PAGES_MAX * LIST_PAGE_OBJECTS} objects`,
        },
      });
    },
    async watch({ resourceVersion, timeoutSeconds, ...selection }, signal) {
      const call = onSelection('watch', selection, {
        ...{ watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: String(timeoutSeconds) },
      });
      return changesOf(call.what, await transport.stream(call, signal));
    },
    serves: async (apiVersion) => {
      const what = `ask for the API ${apiVersion}`;
      const call: Call = {
        ...{ verb: 'get', method: 'GET', path: `/apis/${apiVersion}` },
        group: '',
        resource: '',
        what,
      };
      return (await transport.call<unknown>(call).catch(orWhen({ missing: undefined }))) !== undefined;
    },
    requests: transport.requests,
    onRecovered: transport.onRecovered,
    recovered: transport.recovered,
    close: connection.close,
  };
}

interface ErrorObject {
  code?: number;
  reason?: string;
  message?: string;
}

async function* changesOf<T>(what: string, lines: AsyncIterable<unknown>): AsyncGenerator<WatchChange<T>> {
  for await (const line of lines) {
    const change = line as WatchChange<T> | { type: 'ERROR'; object: ErrorObject };
    if (change.type !== 'ERROR') {
      yield change;
      continue;
    }
    const { code = 500, reason = 'Unknown', message = '' } = change.object;
    throw new KubeError(what, { status: code, reason, message });
  }
}

function refOf({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  return { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

function onObject(verb: Call['verb'], method: Call['method'], ref: ObjectRef): Call {
  const resource = resourceOf(ref);
  const name = ref.namespace === '' ? ref.name : `${ref.namespace}/${ref.name}`;
  return { verb, method, path: objectPath(ref), group: groupOf(ref), resource, what: `${verb} ${resource} ${name}` };
}

function onStatus(call: Call): Call {
  return { ...call, path: `${call.path}/status`, resource: `${call.resource}/status` };
}

/** People look for the word that the code uses; that it is a PATCH is the protocol's business. */
function named(word: string, call: Call): { what: string } {
  return {
    what: `${word}${call.what.slice(call.verb.length).replace(call.resource.split('/')[0] ?? '', call.resource)}`,
  };
}

function onSelection(verb: 'list' | 'watch', selection: Selection, query: Record<string, string>): Call {
  const { namespace = '', labelSelector } = selection;
  const resource = resourceOf(selection);
  return {
    ...{ verb, method: 'GET', path: collectionPath(selection, namespace), group: groupOf(selection), resource },
    query: { ...query, ...(labelSelector === undefined ? {} : { labelSelector }) },
    what: `${verb} ${resource} of ${namespace === '' ? 'all namespaces' : namespace}`,
  };
}

/** Turns failures that are answers into values. */
function orWhen<V>(answers: { missing?: V; conflict?: V }): (error: unknown) => V {
  return (error) => {
    if (isKubeError(error, 'missing') && 'missing' in answers) return answers.missing as V;
    if (isKubeError(error, 'conflict') && 'conflict' in answers) return answers.conflict as V;
    throw error;
  };
}
