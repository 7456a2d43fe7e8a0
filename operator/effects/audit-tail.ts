import type { Counted } from '../../ledger/audit-cursors.ts';
import { compareJournalIds, earlierJournalId, type Journal } from '../../lua/journal.ts';
import type { JournalEntry } from '../../lua/journal-entry.ts';
import type { StockTally } from '../../lua/stock.ts';
import { type DueLine, isBehind } from './audit-due.ts';
import { AUDIT_JOURNAL_PAGE_ENTRIES, AUDIT_TAIL_MAX_ENTRIES } from './audit-limits.ts';

/** An entry that names reservations, and waits until it is due. */
export interface TailEntry {
  bucket: number;
  journalId: string;
  ids: string[];
  held: boolean;
  late: boolean;
}

/**
 * The journals behind the audit's cursor: each entry is read once, counted, and kept until it is due. What is counted is
 * what Redis must have by its journal, so that Redis and journal can be compared at one instant without a scan.
 */
export interface Tail {
  /** Reads up to the entries at which the buckets were counted. False: there is more than is kept, and it stopped. */
  readTo(tallies: readonly StockTally[]): Promise<boolean>;
  counted(): Counted[];
  /** The entries up to the line, in the order of their journals. They stay until they are dropped. */
  dueAt(line: DueLine): TailEntry[];
  drop(line: DueLine): void;
  /** The line, as far as the journals were read. */
  within(line: DueLine): DueLine;
  length(): number;
}

export function createTail(
  journal: Journal,
  eventId: string,
  from: { journalIds: readonly string[]; counted: readonly Counted[] },
): Tail {
  const counted = from.counted.map((one) => ({ ...one }));
  const readIds = [...from.journalIds];
  /** Up to here nothing is unread. */
  const reach = [...from.journalIds];
  let waiting: TailEntry[] = [];

  async function readBucket(bucket: number, upToId: string): Promise<boolean> {
    for (;;) {
      const after = readIds[bucket] ?? '0-0';
      if (compareJournalIds(after, upToId) >= 0) return true;
      if (waiting.length >= AUDIT_TAIL_MAX_ENTRIES) return false;
      const page = await journal.range(eventId, bucket, after, AUDIT_JOURNAL_PAGE_ENTRIES);
      for (const entry of page) {
        if (compareJournalIds(entry.id, upToId) > 0) return true;
        take(bucket, entry);
      }
      if (page.length < AUDIT_JOURNAL_PAGE_ENTRIES) return true;
    }
  }

  function take(bucket: number, entry: JournalEntry): void {
    readIds[bucket] = entry.id;
    const named = namesOf(entry);
    if (named.length > 0) {
      const late = entry.type === 'committed' && entry.late !== undefined;
      waiting.push({ bucket, journalId: entry.id, ids: named, held: entry.type === 'held', late });
    }
    const mine = counted[bucket];
    if (mine !== undefined && compareJournalIds(entry.id, mine.journalId) > 0) count(mine, entry);
  }

  return {
    async readTo(tallies) {
      let complete = true;
      for (const [bucket, { lastJournalId }] of tallies.entries()) {
        const read = await readBucket(bucket, lastJournalId);
        reach[bucket] = read ? lastJournalId : (readIds[bucket] ?? '0-0');
        // The last entry may be gone by hand. What is there was counted all the same.
        const mine = counted[bucket];
        if (read && mine !== undefined && compareJournalIds(lastJournalId, mine.journalId) > 0)
          mine.journalId = lastJournalId;
        complete &&= read;
      }
      return complete;
    },
    counted: () => counted.map((one) => ({ ...one })),
    dueAt: (line) => waiting.filter((entry) => isBehind(line, entry)),
    drop(line) {
      waiting = waiting.filter((entry) => !isBehind(line, entry));
    },
    within: ({ journalIds, lastSeq }) => ({
      journalIds: journalIds.map((id, bucket) => earlierJournalId(id, reach[bucket] ?? '0-0')),
      lastSeq,
    }),
    length: () => waiting.length,
  };
}

function namesOf(entry: JournalEntry): string[] {
  if (entry.type === 'committed') return entry.reservationIds;
  return entry.type === 'held' || entry.type === 'released' ? [entry.reservationId] : [];
}

/** What this entry made of the stock. lua/scripts are the other side of it. */
function count(counted: Counted, entry: JournalEntry): void {
  counted.journalId = entry.id;
  if (entry.type === 'held') {
    counted.reservations += 1;
    counted.availableUnits -= entry.units;
  } else if (entry.type === 'committed' && entry.late !== undefined) {
    counted.reservations += 1;
    counted.availableUnits -= entry.late.units;
  } else if (entry.type === 'released') {
    if (entry.from === 'unknown') counted.reservations += 1;
    else counted.availableUnits += entry.units;
  } else if (entry.type === 'adjusted') {
    counted.totalUnits = entry.totalUnits;
    counted.availableUnits = entry.availableUnits;
  }
}
