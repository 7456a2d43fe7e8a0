import { canonicalJson } from '../applied-hash.ts';
import type { PoolSettings } from '../pool-settings.ts';
import { type PoolIdentity, type PoolObject, poolObject } from './pool-object.ts';

const MAKE_FIELD = 'make.json';

/** Of what the pods of a pool are made; while updates wait, it is what they were made of before. */
export type PoolMake = Pick<PoolSettings, 'podTemplate' | 'port'>;

/**
 * The owner of all objects of a pool: an event cannot own them, since it stands in another namespace. It remembers of
 * what the pods are made, so that a change of the release can wait until the sale is over.
 */
export function anchor(identity: PoolIdentity, make: PoolMake): PoolObject {
  return poolObject('v1', 'ConfigMap', identity, { data: { [MAKE_FIELD]: canonicalJson(make) } });
}

/** What an anchor remembers, or `undefined` when there is none, or what it holds cannot be read. */
export function makeOf(found: { data?: Record<string, string> } | undefined): PoolMake | undefined {
  try {
    const make = JSON.parse(found?.data?.[MAKE_FIELD] ?? '') as Partial<PoolMake>;
    const { podTemplate, port } = make;
    return podTemplate?.spec === undefined || typeof port !== 'number' ? undefined : { podTemplate, port };
  } catch {
    return undefined;
  }
}
