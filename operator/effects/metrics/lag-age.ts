import { ENDS_REMEMBERED_MAX } from './limits.ts';

/**
 * How old the oldest message is that the consumers have not taken: since when a partition has been longer than what they
 * have taken of it. Kafka tells ends and not ages, so that the ends are remembered with the time they were seen at.
 */
export interface LagAge {
  /** By partition: the next offset to be written, and the next to be taken. Answers messages, and seconds. */
  measure(
    ends: ReadonlyMap<number, bigint>,
    taken: ReadonlyMap<number, bigint>,
    nowMs: number,
  ): { messages: number; seconds: number };
}

export function createLagAge(): LagAge {
  const seen = new Map<number, { end: bigint; atMs: number }[]>();

  /** Since when the partition has had more than `taken`. */
  function sinceMs(partition: number, end: bigint, taken: bigint, nowMs: number): number {
    const history = seen.get(partition) ?? [];
    seen.set(partition, history);
    if (history.at(-1)?.end !== end) history.push({ end, atMs: nowMs });
    // What was taken since is of no use any more, except the last: it tells that nothing came.
    while (history.length > ENDS_REMEMBERED_MAX || (history.length > 1 && (history[0]?.end ?? 0n) <= taken)) {
      history.shift();
    }
    return history[0]?.atMs ?? nowMs;
  }

  return {
    measure(ends, taken, nowMs) {
      let messages = 0;
      let seconds = 0;
      for (const [partition, end] of ends) {
        const from = taken.get(partition) ?? 0n;
        const oldestMs = sinceMs(partition, end, from, nowMs);
        if (end <= from) continue;
        messages += Number(end - from);
        seconds = Math.max(seconds, (nowMs - oldestMs) / 1_000);
      }
      return { messages, seconds };
    },
  };
}
