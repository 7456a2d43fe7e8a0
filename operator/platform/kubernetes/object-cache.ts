import type { KubeObject } from './client.ts';

export interface ObjectChange<T> {
  type: 'added' | 'changed' | 'deleted';
  object: T;
  /** What was known of it before, when it was changed. */
  before?: T;
}

/**
 * Objects as the watch told them, and as our own writes answered them: whichever is newer counts, so that whoever writes
 * reads what he wrote. Each function answers what changed by it.
 */
export interface ObjectCache<T> {
  get(namespace: string, name: string): T | undefined;
  list(): T[];
  /** From a watch. */
  put(object: T): ObjectChange<T>[];
  remove(object: T): ObjectChange<T>[];
  /** From a list: what is not in it is gone. */
  replace(objects: T[]): ObjectChange<T>[];
  /** The answer to a write of our own. Of an object that is not known, nothing is learned: the watch brings it. */
  learn(object: T): ObjectChange<T>[];
}

export function createObjectCache<T extends KubeObject>(): ObjectCache<T> {
  const objects = new Map<string, T>();
  /** Objects whose end our own write was: uid by key, until the watch has told it too. */
  const buried = new Map<string, string | undefined>();

  function put(object: T): ObjectChange<T>[] {
    const key = keyOf(object);
    const before = objects.get(key);
    const { uid } = object.metadata;
    if (buried.has(key) && buried.get(key) === uid) return [];
    if (before !== undefined && before.metadata.uid === uid && !isNewer(object, before)) return [];
    objects.set(key, object);
    if (before === undefined) return [{ type: 'added', object }];
    if (before.metadata.uid === uid) return [{ type: 'changed', object, before }];
    return [
      { type: 'deleted', object: before },
      { type: 'added', object },
    ];
  }

  function remove(object: T): ObjectChange<T>[] {
    const key = keyOf(object);
    if (buried.get(key) === object.metadata.uid) buried.delete(key);
    const known = objects.get(key);
    if (known === undefined || known.metadata.uid !== object.metadata.uid) return [];
    objects.delete(key);
    return [{ type: 'deleted', object: known }];
  }

  return {
    get: (namespace, name) => objects.get(`${namespace}/${name}`),
    list: () => [...objects.values()],
    put,
    remove,
    replace(found) {
      const listed = new Map(found.map((object) => [keyOf(object), object.metadata.uid]));
      for (const [key, uid] of buried) if (listed.get(key) !== uid) buried.delete(key);
      const gone = [...objects].filter(([key]) => !listed.has(key)).map(([, object]) => object);
      return [...gone.flatMap(remove), ...found.flatMap(put)];
    },
    learn(object) {
      const key = keyOf(object);
      if (objects.get(key)?.metadata.uid !== object.metadata.uid) return [];
      const { deletionTimestamp, finalizers = [] } = object.metadata;
      if (deletionTimestamp === undefined || finalizers.length > 0) return put(object);
      const changes = remove(object);
      buried.set(key, object.metadata.uid);
      return changes;
    },
  };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Versions of one object are numbers that grow; they are too long for a JavaScript number. */
function isNewer(object: KubeObject, than: KubeObject): boolean {
  const [a, b] = [object.metadata.resourceVersion ?? '', than.metadata.resourceVersion ?? ''];
  return a.length === b.length ? a > b : a.length > b.length;
}
