import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Redis, ReplyError } from 'ioredis';
import { SeckillError } from '../services/domain/errors.ts';
import type { RedisLink } from './connection.ts';
import { CACHED_RUNS_MAX } from './limits.ts';

/**
 * The fence of the run. The text of every script names the Redis run that it is for, and so does its SHA. Only EVALSHA
 * is sent, so that a Redis that was restarted or promoted answers NOSCRIPT, and nobody loads a script before he has
 * read the identity of the server on the same connection and found it to be the one that the ledger knows. Nor does
 * anybody call one on a connection that has shown another identity: a master that was demoted, took the data of
 * another node and was promoted again still has the scripts of its run before.
 */
export const SCRIPTS = [
  'adjust',
  'arm',
  'commit',
  'leave',
  'lookup',
  'preheat',
  'rebuildBegin',
  'rebuildFinish',
  'rebuildLoad',
  'register',
  'release',
  'remove',
  'reserve',
  'snapshot',
  'tally',
  'trim',
  'unregister',
] as const;
export type ScriptName = (typeof SCRIPTS)[number];

/** Why nothing was changed. The first five are Redis's own, the others are replies of the scripts. */
export type NotReadyReason =
  | 'disconnected'
  | 'other-run'
  | 'oom'
  | 'refused-by-redis'
  | 'wrong-type'
  | 'missing'
  | 'other-generation'
  | 'recovering'
  | 'unarmed'
  | 'not-recovering'
  | 'not-begun'
  | 'law-broken';

/** A definite outcome: the call changed nothing, and never will. */
export interface NotReady {
  status: 'not-ready';
  reason: NotReadyReason;
}

export type Ran = { status: 'ran'; reply: unknown[] } | NotReady;

const RUN_PLACEHOLDER = '@RUN@';
const RUN = /^[0-9a-f]{40}\.[0-9a-f]{40}$/;

const readScript = (name: ScriptName): string => {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  assert(text.includes(RUN_PLACEHOLDER), `${name}.lua has no place for the run`);
  return text;
};
const texts = new Map<ScriptName, string>(SCRIPTS.map((name) => [name, readScript(name)]));
const hashes = new Map<string, Map<ScriptName, string>>();

/** The text of a script for one run. `run` must be an identity: it becomes a part of the program. */
function scriptText(script: ScriptName, run: string): string {
  assert(RUN.test(run), 'the identity of a Redis run is <run_id>.<master_replid>');
  const text = texts.get(script);
  assert(text !== undefined);
  return text.replace(RUN_PLACEHOLDER, run);
}

/** What EVALSHA calls the script in this run. Cached: a hash costs more than the call. */
export function sha(script: ScriptName, run: string): string {
  let ofRun = hashes.get(run);
  if (ofRun === undefined) {
    ofRun = new Map(
      SCRIPTS.map((name) => [name, createHash('sha1').update(scriptText(name, run)).digest('hex')] as const),
    );
    const oldest = hashes.size >= CACHED_RUNS_MAX ? hashes.keys().next().value : undefined;
    if (oldest !== undefined) hashes.delete(oldest);
    hashes.set(run, ofRun);
  }
  const hash = ofRun.get(script);
  assert(hash !== undefined);
  return hash;
}

/** Redis's own word for an error, for example `NOSCRIPT`: the first word of an error reply. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof ReplyError)) return undefined;
  return /^[A-Z]+/.exec((error as Error).message)?.[0];
}

/** What went wrong with a call, in a word: Redis's own, or `lost` when nothing came back. */
export function errorWord(error: unknown): string {
  return replyCode(error) ?? 'lost';
}

/** `disconnected`: nobody knows which Redis it is at the moment, the caller may ask again. */
type Loaded = 'loaded' | 'other-run' | 'disconnected';

const loading = new WeakMap<Redis, Map<string, Promise<Loaded>>>();

/** Loads a script into the Redis that it is for, and into no other. */
async function load(link: RedisLink, script: ScriptName, run: string): Promise<Loaded> {
  const before = link.current();
  if (before === undefined) return 'disconnected';
  const found = await link.refreshRun();
  if (found === undefined || link.current()?.redis !== before.redis) return 'disconnected';
  if (found !== run) return 'other-run';
  try {
    await before.redis.script('LOAD', scriptText(script, run));
    return 'loaded';
  } catch {
    // Whether it is loaded or not: nothing was sold by it.
    return 'disconnected';
  }
}

/** After a flush or a restart many calls find their script gone; one of them loads it. */
function loadOnce(link: RedisLink, script: ScriptName, run: string): Promise<Loaded> {
  const redis = link.current()?.redis;
  if (redis === undefined) return Promise.resolve('disconnected');
  const ofRedis = loading.get(redis) ?? new Map<string, Promise<Loaded>>();
  loading.set(redis, ofRedis);
  const key = sha(script, run);
  const underway = ofRedis.get(key) ?? load(link, script, run).finally(() => ofRedis.delete(key));
  ofRedis.set(key, underway);
  return underway;
}

/** Replies with which Redis refuses a script before it runs. */
const REFUSALS = new Set([
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'CROSSSLOT',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOPERM',
  'NOREPLICAS',
  'READONLY',
  'TRYAGAIN',
]);

const unknownOutcome = (script: ScriptName, cause: unknown): SeckillError =>
  new SeckillError('SECKILL_ERR_REDIS_UNKNOWN', `the outcome of ${script} is unknown`, { cause });

const notReady = (reason: NotReadyReason): NotReady => ({ status: 'not-ready', reason });

function refusal(script: ScriptName, error: unknown): NotReady {
  const code = replyCode(error);
  if (code === 'OOM') return notReady('oom');
  // Every script reads all that it will write before its first write, and XADD, the first write, may still refuse.
  if (code === 'WRONGTYPE') return notReady('wrong-type');
  if (code !== undefined && REFUSALS.has(code)) return notReady('refused-by-redis');
  throw unknownOutcome(script, error);
}

/**
 * Runs a script in the run that the caller knows of. `not-ready` is definite. Throws SECKILL_ERR_REDIS_UNKNOWN when the
 * call was sent and no answer came.
 */
export async function runScript(
  link: RedisLink,
  script: ScriptName,
  run: string,
  call: { keys: readonly string[]; args: readonly (string | number)[] },
): Promise<Ran> {
  // No Redis calls itself by another pattern, so that none could have this script.
  if (!hashes.has(run) && !RUN.test(run)) return notReady('other-run');
  const evalsha = [sha(script, run), call.keys.length, ...call.keys, ...call.args];
  const before = link.current();
  if (before !== undefined && before.run !== run) {
    // The caller may know more than this connection: a promotion does not end it.
    if ((await link.refreshRun()) === undefined) return notReady('disconnected');
  }
  for (let attempt = 1; ; attempt += 1) {
    const connection = link.current();
    if (connection === undefined) {
      link.onCall?.(script, 0, 'disconnected');
      return notReady('disconnected');
    }
    if (connection.run !== run) return notReady('other-run');
    let reply: unknown;
    const askedMs = performance.now();
    try {
      reply = await connection.redis.call('EVALSHA', evalsha);
      link.onCall?.(script, (performance.now() - askedMs) / 1_000, undefined);
    } catch (error) {
      link.onCall?.(script, (performance.now() - askedMs) / 1_000, errorWord(error));
      if (replyCode(error) !== 'NOSCRIPT') return refusal(script, error);
      // Gone again as soon as it was loaded: somebody flushes scripts, and the caller may try again.
      if (attempt === 2) return notReady('refused-by-redis');
      const loaded = await loadOnce(link, script, run);
      if (loaded === 'loaded') continue;
      return notReady(loaded);
    }
    assert(Array.isArray(reply), `${script} replies with a list`);
    return { status: 'ran', reply };
  }
}
