import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { eventKeyOf } from '../../../services/domain/event.ts';
import { FINALIZER } from '../../api/annotations.ts';
import { checkChange } from '../../api/check-change.ts';
import type { EventKey, Manifest, SeckillEvent } from '../../api/seckill-event.ts';
import type { SeckillEventStatus } from '../../api/status.ts';
import type { Problem } from '../../api/structure.ts';
import { readText, writeIfChanged } from './atomic-file.ts';
import { CONFLICT_RETRIES_MAX } from './limits.ts';
import { isMissing, readRecord, writeRecord } from './versioned-record.ts';

/**
 * SeckillEvents as files: what the Kubernetes API is to the other platform. Spec and metadata are one record with
 * compare-and-set, since `up`, `delete` and several operators change them; the status is a file beside it that only
 * the leader replaces. A removed object leaves an empty record behind, so that versions never begin anew.
 */
type StoredObject = Omit<SeckillEvent, 'status'>;
type ObjectRecord = { object: StoredObject | null };

/** `refused`: what is wrong, a sentence each. */
export type Applied =
  | { outcome: 'created' | 'changed' | 'unchanged' | 'deleting' }
  | { outcome: 'refused'; problems: Problem[] };

export interface ObjectStore {
  list(): Promise<SeckillEvent[]>;
  get(key: EventKey): Promise<SeckillEvent | undefined>;
  /**
   * Creates it, or replaces spec, labels and annotations. An object that is being deleted is left as it is, and so is
   * one of which the manifest changes what a sale that has begun may not change any more: `mayChange` tells.
   */
  apply(manifest: Manifest, nowMs: number, mayChange?: typeof checkChange): Promise<Applied>;
  /** Asks for its deletion. It goes at once when no finalizer holds it. */
  delete(key: EventKey, nowMs: number): Promise<'deleting' | 'gone'>;
  annotate(key: EventKey, name: string, value: string): Promise<'written' | 'unchanged' | 'gone'>;
  putStatus(key: EventKey, uid: string, status: SeckillEventStatus): Promise<'written' | 'unchanged' | 'gone'>;
  setFinalizer(key: EventKey, uid: string, present: boolean): Promise<'written' | 'unchanged' | 'gone'>;
  /** Changes with each change of any object, status excepted. Cheap to ask. */
  stamp(): Promise<string>;
}

export function createObjectStore(folder: string): ObjectStore {
  const folderOf = (key: EventKey): string => join(folder, key.replace('/', '.'));
  const objectFolder = (key: EventKey): string => join(folderOf(key), 'object');
  const statusFile = (key: EventKey): string => join(folderOf(key), 'status.json');

  async function read(key: EventKey): Promise<{ version: number; object: StoredObject | null }> {
    const record = await readRecord<ObjectRecord>(objectFolder(key));
    return { version: record?.version ?? 0, object: record?.value.object ?? null };
  }

  async function statusOf(key: EventKey, uid: string): Promise<SeckillEventStatus | undefined> {
    const text = await readText(statusFile(key));
    if (text === undefined) return undefined;
    const stored = JSON.parse(text) as { uid: string; status: SeckillEventStatus };
    // The status of an object that went before must not be taken for that of its namesake.
    return stored.uid === uid ? stored.status : undefined;
  }

  async function get(key: EventKey): Promise<SeckillEvent | undefined> {
    const { object } = await read(key);
    if (object === null) return undefined;
    const status = await statusOf(key, object.metadata.uid);
    return { ...object, ...(status === undefined ? {} : { status }) };
  }

  /** `next` answers what the object shall be; `null` removes it, `undefined` leaves it alone. */
  async function change<T>(
    key: EventKey,
    next: (object: StoredObject | null) => { answer: T; object: StoredObject | null | undefined },
  ): Promise<T> {
    for (let attempt = 0; attempt < CONFLICT_RETRIES_MAX; attempt += 1) {
      const { version, object } = await read(key);
      const { answer, object: wanted } = next(object);
      if (wanted === undefined || isDeepStrictEqual(wanted, object)) return answer;
      if ((await writeRecord<ObjectRecord>(objectFolder(key), version, { object: wanted })) === undefined) continue;
      await writeIfChanged(join(folder, '.stamp'), randomUUID());
      return answer;
    }
    throw new Error(`the record of ${key} was changed by others ${CONFLICT_RETRIES_MAX} times in a row`);
  }

  async function keys(): Promise<EventKey[]> {
    try {
      const names = await readdir(folder, { withFileTypes: true });
      return names.filter((name) => name.isDirectory()).map(({ name }) => name.replace('.', '/'));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  return {
    get,
    async list() {
      const found = await Promise.all((await keys()).sort().map(get));
      return found.filter((event) => event !== undefined);
    },
    async apply(manifest, nowMs, mayChange = checkChange) {
      const { metadata, spec } = manifest;
      const key = eventKeyOf(metadata);
      const status = (await get(key))?.status;
      return change<Applied>(key, (object) => {
        const labels = metadata.labels ?? {};
        const annotations = metadata.annotations ?? {};
        if (object === null) {
          const { name, namespace } = metadata;
          const meta = { name, namespace, uid: randomUUID(), generation: 1, createdMs: nowMs, finalizers: [] };
          return { answer: { outcome: 'created' }, object: { metadata: { ...meta, labels, annotations }, spec } };
        }
        if (object.metadata.deletionMs !== undefined) return { answer: { outcome: 'deleting' }, object: undefined };
        const problems = mayChange({ ...object, ...(status === undefined ? {} : { status }) }, manifest);
        if (problems.length > 0) return { answer: { outcome: 'refused', problems }, object: undefined };
        const same = isDeepStrictEqual(object.spec, spec);
        const generation = object.metadata.generation + (same ? 0 : 1);
        const next = { metadata: { ...object.metadata, generation, labels, annotations }, spec };
        return { answer: { outcome: isDeepStrictEqual(next, object) ? 'unchanged' : 'changed' }, object: next };
      });
    },
    delete: (key, nowMs) =>
      change<'deleting' | 'gone'>(key, (object) => {
        if (object === null) return { answer: 'gone', object: undefined };
        if (object.metadata.finalizers.length === 0) return { answer: 'gone', object: null };
        if (object.metadata.deletionMs !== undefined) return { answer: 'deleting', object: undefined };
        return { answer: 'deleting', object: { ...object, metadata: { ...object.metadata, deletionMs: nowMs } } };
      }),
    annotate: (key, name, value) =>
      change<'written' | 'unchanged' | 'gone'>(key, (object) => {
        if (object === null) return { answer: 'gone', object: undefined };
        if (object.metadata.annotations[name] === value) return { answer: 'unchanged', object: undefined };
        const annotations = { ...object.metadata.annotations, [name]: value };
        return { answer: 'written', object: { ...object, metadata: { ...object.metadata, annotations } } };
      }),
    async putStatus(key, uid, status) {
      const { object } = await read(key);
      if (object?.metadata.uid !== uid) return 'gone';
      const text = `${JSON.stringify({ uid, status }, null, 2)}\n`;
      return (await writeIfChanged(statusFile(key), text)) ? 'written' : 'unchanged';
    },
    setFinalizer: (key, uid, present) =>
      change<'written' | 'unchanged' | 'gone'>(key, (object) => {
        if (object?.metadata.uid !== uid) return { answer: 'gone', object: undefined };
        const others = object.metadata.finalizers.filter((name) => name !== FINALIZER);
        if (present === object.metadata.finalizers.includes(FINALIZER))
          return { answer: 'unchanged', object: undefined };
        // Nobody may hold back an object that is on its way out already.
        if (present && object.metadata.deletionMs !== undefined) return { answer: 'unchanged', object: undefined };
        const finalizers = present ? [...others, FINALIZER] : others;
        if (object.metadata.deletionMs !== undefined && finalizers.length === 0)
          return { answer: 'written', object: null };
        return { answer: 'written', object: { ...object, metadata: { ...object.metadata, finalizers } } };
      }),
    async stamp() {
      try {
        const { mtimeNs, ino } = await stat(join(folder, '.stamp'), { bigint: true });
        return `${mtimeNs}.${ino}`;
      } catch (error) {
        if (isMissing(error)) return '';
        throw error;
      }
    },
  };
}
