import { WATCHDOG_NO_PROGRESS_MS, WATCHDOG_SILENCE_MS } from './limits.ts';

/** What is known of a member's life. Times are of `performance.now()`. */
export interface Pulse {
  /** Why it is over, when it is. */
  ended: string | undefined;
  fetchedAtMs: number;
  /** When a chunk was last finished, or partitions were last given to it. */
  progressAtMs: number;
  /** Handlers at work. A handler is never disturbed: what it waits for is its own business. */
  handling: number;
}

export type Verdict = { do: 'nothing' } | { do: 'look-at-lag' } | { do: 'restart'; reason: string };

/**
 * A consumer may crash, stop, or go silent without a word; and it may fetch for ever without getting on. `stuckLag` is
 * the lag that was found twice, a look apart, without a step in between.
 */
export function judge(pulse: Pulse, nowMs: number, stuckLag: bigint | undefined): Verdict {
  if (pulse.ended !== undefined) return { do: 'restart', reason: pulse.ended };
  if (pulse.handling > 0) return { do: 'nothing' };
  const silentMs = nowMs - Math.max(pulse.fetchedAtMs, pulse.progressAtMs);
  if (silentMs > WATCHDOG_SILENCE_MS) return { do: 'restart', reason: 'it fetched nothing for long' };
  if (nowMs - pulse.progressAtMs < WATCHDOG_NO_PROGRESS_MS) return { do: 'nothing' };
  if (stuckLag !== undefined && stuckLag > 0n)
    return { do: 'restart', reason: 'it did not get on although there is lag' };
  return { do: 'look-at-lag' };
}
