import { setTimeout as sleep } from 'node:timers/promises';

/** Whether the promise settled (either way) within the time. The promise goes on; its error is nobody's any more. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const done = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([done, late]);
  } finally {
    timer.abort();
  }
}

/** Sleeps, but not longer than until the signal. */
export async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** The time before the next attempt: doubles from `firstMs` to `longestMs`, with a fifth of jitter. */
export function backOffMs(attempt: number, firstMs: number, longestMs: number): number {
  const ms = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 20));
  return ms * (0.8 + Math.random() * 0.4);
}
