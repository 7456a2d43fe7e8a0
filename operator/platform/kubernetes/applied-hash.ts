import { createHash } from 'node:crypto';

const HASH_HEX_CHARS = 16;

/** JSON whose text does not depend on the order of keys; what is `undefined` or `null` is left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** A short name for a value: equal values have equal hashes. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, HASH_HEX_CHARS);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, sorted(inner)]));
}
