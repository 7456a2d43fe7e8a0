import { AssertionError } from 'node:assert';
import type { Log } from '../services/kit/log.ts';
import { RETRY_FIRST_MS, RETRY_MAX_MS, WORKERS_MAX } from './limits.ts';

/** What the work says of its key when it is done. */
export interface Requeue {
  /** When to come again; absent: only when somebody adds the key. */
  afterMs?: number;
  /** The key comes again after a growing pause, and not before unless it is added; `afterMs` is the longest one. */
  backOff?: boolean;
}

export interface KeyQueue {
  /** The key is worked on soon. Added while it is worked on, it comes once more afterwards. */
  add(key: string): void;
  /** Keys that wait for a worker now. */
  depth(): number;
  /** No key begins any more. Resolves when all work in hand has ended. */
  stop(): Promise<void>;
}

/**
 * A queue of keys: each key has one worker at a time, and waits at most once. Failures of a key make it wait longer and
 * longer; other keys do not notice.
 */
export function createKeyQueue(options: { work(key: string): Promise<Requeue>; log: Log; workers?: number }): KeyQueue {
  const { work, log, workers = WORKERS_MAX } = options;
  const waiting = new Set<string>();
  const again = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const timers = new Map<string, NodeJS.Timeout>();
  const failures = new Map<string, number>();
  let stopped = false;

  function pump(): void {
    for (const key of waiting) {
      if (stopped || running.size >= workers) return;
      waiting.delete(key);
      clearTimeout(timers.get(key));
      timers.delete(key);
      running.set(key, run(key));
    }
  }

  async function run(key: string): Promise<void> {
    let requeue: Requeue;
    try {
      requeue = await work(key);
    } catch (error) {
      // Nobody catches it above: the process ends.
      if (error instanceof AssertionError) throw error;
      log.error({ err: error, key }, 'an event could not be looked after');
      requeue = { backOff: true };
    }
    running.delete(key);
    if (requeue.backOff !== true) failures.delete(key);
    if (again.delete(key)) waiting.add(key);
    else if (requeue.backOff === true) schedule(key, backOff(key, requeue.afterMs ?? RETRY_MAX_MS));
    else if (requeue.afterMs !== undefined) schedule(key, requeue.afterMs);
    pump();
  }

  function backOff(key: string, longestMs: number): number {
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    return Math.min(RETRY_FIRST_MS * 2 ** Math.min(count, 20), longestMs, RETRY_MAX_MS);
  }

  function schedule(key: string, afterMs: number): void {
    if (stopped) return;
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => add(key), Math.max(0, afterMs)),
    );
  }

  function add(key: string): void {
    if (stopped) return;
    if (running.has(key)) again.add(key);
    else waiting.add(key);
    pump();
  }

  return {
    add,
    depth: () => waiting.size,
    async stop() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      waiting.clear();
      await Promise.all(running.values());
    },
  };
}
