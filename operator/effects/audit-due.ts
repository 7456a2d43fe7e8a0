import type { Ledger } from '../../ledger/ledger.ts';
import { compareJournalIds, type Journal, type JournalProgress } from '../../lua/journal.ts';
import type { Admin } from '../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC, ORDER_GROUP } from '../../services/kit/kafka/topics.ts';

export interface DueDeps {
  journal: Journal;
  ledger: Ledger;
  kafka: Admin;
  topic?: string;
  group?: string;
}

/** Up to where everything has been handled: what is not behind it lags, and is never an error. */
export interface DueLine {
  /** Of each bucket, the last journal entry whose hold has an order by now, if it ever gets one. */
  journalIds: readonly string[];
  /** The last row whose reservation Redis has heard of by now. */
  lastSeq: number;
}

/**
 * A look at the pipeline. What it saw is due when the consumers have passed the end that Kafka had after it: the relay
 * had acknowledged those entries, and offsets go on only behind the order and its commit. The same goes for rows, whose
 * messages were in Kafka before.
 */
export interface AuditMark {
  line: DueLine;
  /** Of the database, when it was taken. */
  databaseMs: number;
  deletions: string;
  ends: ReadonlyMap<number, bigint>;
}

/** The order of the three looks matters: Kafka's end comes last. */
export async function takeMark(
  { journal, ledger, kafka, topic }: DueDeps,
  event: { eventId: string; buckets: number },
): Promise<AuditMark> {
  const buckets = Array.from({ length: event.buckets }, (_, bucket) => bucket);
  const progress = await Promise.all(buckets.map((bucket) => journal.progress(event.eventId, bucket)));
  const { nowMs, lastSeq, deletions } = await ledger.audit.now(event.eventId);
  const ends = await kafka.endOffsets(topic ?? HOLDS_TOPIC);
  return { line: { journalIds: progress.map(relayedUpTo), lastSeq }, databaseMs: nowMs, deletions, ends };
}

/** Whether the consumers have reached the end that Kafka had when the mark was taken. */
export async function hasPassed({ kafka, topic, group }: DueDeps, { ends }: AuditMark): Promise<boolean> {
  const taken = await kafka.takenOffsets(group ?? ORDER_GROUP, topic ?? HOLDS_TOPIC);
  return [...ends].every(([partition, end]) => (taken.get(partition) ?? 0n) >= end);
}

export function isBehind(line: DueLine, place: { bucket: number; journalId: string }): boolean {
  const journalId = line.journalIds[place.bucket];
  return journalId !== undefined && compareJournalIds(place.journalId, journalId) <= 0;
}

/** The last entry up to which all were acknowledged by the relay. */
function relayedUpTo({ passedId, smallestPendingId }: JournalProgress): string {
  if (smallestPendingId === undefined) return passedId;
  const before = idBefore(smallestPendingId);
  return compareJournalIds(before, passedId) < 0 ? before : passedId;
}

/** The greatest id that can stand before this one. */
function idBefore(id: string): string {
  const [ms = 0, sequence = 0] = id.split('-').map(Number);
  if (sequence > 0) return `${ms}-${sequence - 1}`;
  return ms > 0 ? `${ms - 1}-${Number.MAX_SAFE_INTEGER}` : '0-0';
}
