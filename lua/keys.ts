import assert from 'node:assert/strict';
import { BUCKETS_MAX } from '../services/domain/limits.ts';

/** The one place that names keys. Scripts are given them as KEYS, always in this order. */

/** What pods and relays know of events: event key → `<edition> <generation> <revision> <entry as JSON>`. */
export const REGISTRY_KEY = 'seckill:events';

/** Consumer group of the relay on every journal. preheat.lua and rebuildBegin.lua create it by this name. */
export const JOURNAL_GROUP = 'relay';

/** Field of the buyers and reservations hashes that keeps them alive while they are empty. Readers skip it. */
export const SENTINEL_FIELD = '#';

/** stock, buyers, reservations, journal */
export type StockKeys = readonly [string, string, string, string];

/** The keys of one bucket. They share a hash tag, so that Redis Cluster keeps them in one slot. */
export function stockKeys(eventId: string, bucket: number): StockKeys {
  const prefix = `seckill:{${eventId}/${bucket}}:`;
  return [`${prefix}stock`, `${prefix}buyers`, `${prefix}reservations`, `${prefix}journal`];
}

export function reservationsKey(eventId: string, bucket: number): string {
  return stockKeys(eventId, bucket)[2];
}

export function journalKey(eventId: string, bucket: number): string {
  return stockKeys(eventId, bucket)[3];
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * A buyer's home bucket, 0 … buckets − 1, by FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of his id. It never
 * changes while a sale runs: his limit is counted there. Buyer ids are ASCII, so that a char code is a byte.
 */
export function bucketOf(buyer: string, buckets: number): number {
  assert(Number.isInteger(buckets) && buckets >= 1 && buckets <= BUCKETS_MAX, 'a sale has 1 to 1,024 buckets');
  if (buckets === 1) return 0;
  let hash = FNV_OFFSET;
  for (let i = 0; i < buyer.length; i += 1) hash = Math.imul(hash ^ buyer.charCodeAt(i), FNV_PRIME);
  return (hash >>> 0) % buckets;
}
