import { setTimeout as delay } from 'node:timers/promises';
import { HOLDS_TOPIC, ORDER_GROUP } from '../../services/kit/kafka/topics.ts';
import type { EffectDeps } from './deps.ts';
import { DRAIN_POLL_MS } from './limits.ts';

/** What one drain learned at its former looks. */
export interface DrainMemory {
  /** The end offsets that were taken when the journal was first seen empty. */
  ends?: Map<number, bigint>;
}

export type DrainAnswer = { status: 'drained' } | { status: 'waiting'; message: string } | { status: 'interrupted' };

/**
 * Waits until everything that the journal tells of has passed the consumers: first the journal is empty (nothing
 * pending, nothing unread), then the consumers reach the end offsets that were taken after that. In another order an
 * entry could slip through between the two looks.
 */
export async function drain(
  { journal, admin }: Pick<EffectDeps, 'journal' | 'admin'>,
  options: {
    eventId: string;
    timeoutMs: number;
    /** Of a drain that is looked at more than once. */
    memory?: DrainMemory;
    signal: AbortSignal;
    /** Asked at every look: whether it still makes sense to wait. */
    still(): Promise<boolean>;
  },
): Promise<DrainAnswer> {
  const { eventId, timeoutMs, memory = {}, signal, still } = options;
  const untilMs = performance.now() + timeoutMs;
  let message = 'the journal was not looked at';
  for (;;) {
    if (signal.aborted || !(await still())) return { status: 'interrupted' };
    if (memory.ends === undefined) {
      const progress = await journal.progress(eventId, 0);
      if (progress.drained) memory.ends = await admin.endOffsets(HOLDS_TOPIC);
      else message = `the relay has not brought ${progress.pending} pending and all unread journal entries to Kafka`;
    }
    if (memory.ends !== undefined) {
      const behind = lagOf(memory.ends, await admin.takenOffsets(ORDER_GROUP, HOLDS_TOPIC));
      if (behind === 0n) return { status: 'drained' };
      message = `the order consumers are ${behind} messages behind`;
    }
    if (performance.now() >= untilMs) return { status: 'waiting', message };
    await delay(DRAIN_POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/** How many messages below `ends` the group has not taken. */
function lagOf(ends: Map<number, bigint>, taken: Map<number, bigint>): bigint {
  let behind = 0n;
  for (const [partition, end] of ends) {
    const next = taken.get(partition) ?? 0n;
    if (next < end) behind += end - next;
  }
  return behind;
}
