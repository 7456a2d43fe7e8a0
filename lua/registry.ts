import assert from 'node:assert/strict';
import { eventKeyOf, type Product } from '../services/domain/event.ts';
import type { RedisLink } from './connection.ts';
import { unavailable } from './errors.ts';
import { REGISTRY_KEY } from './keys.ts';
import { errorWord, type NotReady, runScript, type ScriptName } from './loader.ts';
import { decided, oneOf, whole } from './replies.ts';

/** What pods and relays know of an event. */
export interface RegistryEntry {
  eventId: string;
  namespace: string;
  name: string;
  edition: number;
  product: Product;
  buckets: number;
  /** Identity of the Redis run that each bucket was preheated or rebuilt in. */
  runs: string[];
  generation: number;
  revision: number;
  startMs: number;
  endMs: number;
  unitsPerBuyer: number;
  pool: string;
}

export interface Registry {
  /** Redis time of the reading. */
  nowMs: number;
  /** Redis time minus ours; wrong by at most half the round trip. */
  offsetMs: number;
  roundTripMs: number;
  /** Identity of the Redis that answered. */
  run: string;
  /** By event key, `namespace/name`. */
  entries: Map<string, RegistryEntry>;
}

/** `<edition> <generation> <revision> <entry as JSON>`: the numbers stand in front, where register.lua compares them. */
const VALUE = /^\d+ \d+ \d+ (\{.*\})$/s;

function parseEntry(value: string): RegistryEntry | undefined {
  const json = VALUE.exec(value)?.[1];
  if (json === undefined) return undefined;
  try {
    // Only writeRegistry writes here; a later release may have added fields.
    return JSON.parse(json) as RegistryEntry;
  } catch {
    return undefined;
  }
}

/**
 * Reads all events, the time and the identity of Redis in one round trip. An entry that cannot be read is left out.
 * Throws SECKILL_ERR_UNAVAILABLE when Redis is away. `clock` is our own time in milliseconds, wall clock or monotonic.
 */
export async function readRegistry(link: RedisLink, clock: () => number = Date.now): Promise<Registry> {
  const connection = link.current();
  if (connection === undefined) {
    link.onCall?.('registry', 0, 'disconnected');
    throw unavailable('there is no connection to Redis', link.problem());
  }
  const { redis } = connection;
  const beganMs = performance.now();
  const askedMs = clock();
  let answers: [(string | number)[], Record<string, string>, string | undefined];
  let answeredMs = askedMs;
  try {
    const time = redis.time().then((value) => {
      answeredMs = clock();
      return value;
    });
    answers = await Promise.all([time, redis.hgetall(REGISTRY_KEY), link.refreshRun()]);
    link.onCall?.('registry', (performance.now() - beganMs) / 1_000, undefined);
  } catch (error) {
    link.onCall?.('registry', (performance.now() - beganMs) / 1_000, errorWord(error));
    throw unavailable('the registry cannot be read', error);
  }
  const [[seconds, microseconds], values, run] = answers;
  if (run === undefined) throw unavailable('Redis does not say who it is');
  const nowMs = whole(seconds) * 1_000 + Math.floor(whole(microseconds) / 1_000);
  const roundTripMs = answeredMs - askedMs;
  const entries = new Map<string, RegistryEntry>();
  for (const [eventKey, value] of Object.entries(values)) {
    const entry = parseEntry(value);
    if (entry !== undefined) entries.set(eventKey, entry);
  }
  return { nowMs, offsetMs: nowMs - (askedMs + answeredMs) / 2, roundTripMs, run, entries };
}

async function word<T extends string>(
  link: RedisLink,
  script: ScriptName,
  args: readonly (string | number)[],
  words: readonly T[],
): Promise<T> {
  const connection = link.current();
  const ran: NotReady | Awaited<ReturnType<typeof runScript>> =
    connection === undefined
      ? { status: 'not-ready', reason: 'disconnected' }
      : await runScript(link, script, connection.run, { keys: [REGISTRY_KEY], args });
  const done = decided(ran);
  if (done.status === 'ran') return oneOf(words, done.word);
  throw unavailable(`the registry cannot be changed: ${done.reason}`);
}

/**
 * Tells pods and relays of an event. `stale`: a later (edition, generation, revision) is there, and stays. Throws
 * SECKILL_ERR_UNAVAILABLE when nothing was written, SECKILL_ERR_REDIS_UNKNOWN when nobody knows; both are repeatable.
 */
export async function writeRegistry(link: RedisLink, entry: RegistryEntry): Promise<'written' | 'stale'> {
  assert(entry.runs.length === entry.buckets, 'every bucket has a run');
  const { edition, generation, revision } = entry;
  const args = [eventKeyOf(entry), edition, generation, revision, JSON.stringify(entry)];
  return word(link, 'register', args, ['written', 'stale']);
}

/** Forgets an event whose sale is over, unless a later edition has taken its name. Throws as writeRegistry does. */
export async function removeRegistry(link: RedisLink, eventKey: string, edition: number): Promise<void> {
  await word(link, 'unregister', [eventKey, edition], ['removed', 'absent', 'stale']);
}
