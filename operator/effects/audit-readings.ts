import type { LedgerEvent } from '../../ledger/rows.ts';
import type { Journal, JournalProgress } from '../../lua/journal.ts';
import type { JournalEntry } from '../../lua/journal-entry.ts';
import type { Stock, StockRef, StockSnapshot } from '../../lua/stock.ts';
import type { ReservationFact } from '../../services/domain/accounting.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { AUDIT_JOURNAL_PAGE_ENTRIES } from './audit-limits.ts';

/** Where the journal, or else the reservation itself, first speaks of a reservation. */
export interface Place {
  bucket: number;
  journalId: string;
}

/** What Redis says of one event, by reservation id. */
export interface RedisBooks {
  stocks: StockSnapshot[];
  reservations: Map<string, ReservationFact>;
  /** Recorded as held in the journal. */
  told: Set<string>;
  journaled: Map<string, Place>;
  /** Of reservations that the journal does not name: a rebuild brought them. */
  loaded: Map<string, Place>;
  lateCommits: number;
}

/**
 * The event's stock in each bucket, as the ledger names it. Throws SECKILL_ERR_NOT_READY while it recovers or warms. A
 * settled event can be audited for as long as Redis keeps its keys.
 */
export function stockRefs({ eventId, generation, runs, state, buckets }: LedgerEvent): StockRef[] {
  if ((state !== 'warmed' && state !== 'settled') || runs.length !== buckets)
    throw notReady(eventId, `the ledger says ${state}`);
  return runs.map((run, bucket) => ({ eventId, bucket, generation, run }));
}

export async function readRedis(stock: Stock, journal: Journal, refs: readonly StockRef[]): Promise<RedisBooks> {
  const books: RedisBooks = {
    stocks: await snapshots(stock, refs),
    reservations: new Map(),
    told: new Set(),
    journaled: new Map(),
    loaded: new Map(),
    lateCommits: 0,
  };
  for (const ref of refs) {
    await readJournal(journal, ref, books);
    for await (const { reservationId, state, buyer, units, journalId } of stock.scanReservations(ref)) {
      books.reservations.set(reservationId, { state, buyer, units });
      if (!books.journaled.has(reservationId)) books.loaded.set(reservationId, { bucket: ref.bucket, journalId });
    }
  }
  return books;
}

/** Each bucket's stock. Throws SECKILL_ERR_NOT_READY when one is not what the ledger means. */
export async function snapshots(stock: Stock, refs: readonly StockRef[]): Promise<StockSnapshot[]> {
  return Promise.all(
    refs.map(async (ref) => {
      const snapshot = await stock.snapshot(ref);
      if (snapshot.status === 'missing') throw notReady(ref.eventId, 'keys are missing in Redis');
      if (snapshot.status === 'not-ready') throw notReady(ref.eventId, `Redis: ${snapshot.reason}`);
      if (snapshot.generation !== ref.generation || snapshot.mode === 'recovering') {
        throw notReady(ref.eventId, `Redis has generation ${snapshot.generation}, ${snapshot.mode}`);
      }
      return snapshot;
    }),
  );
}

async function readJournal(journal: Journal, { eventId, bucket }: StockRef, books: RedisBooks): Promise<void> {
  for (let after = '0-0'; ; ) {
    const entries = await journal.range(eventId, bucket, after, AUDIT_JOURNAL_PAGE_ENTRIES);
    for (const entry of entries) note(books, bucket, entry);
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

function note(books: RedisBooks, bucket: number, entry: JournalEntry): void {
  const place = { bucket, journalId: entry.id };
  const name = (id: string): void => {
    if (!books.journaled.has(id)) books.journaled.set(id, place);
  };
  if (entry.type === 'held') {
    books.told.add(entry.reservationId);
    name(entry.reservationId);
  } else if (entry.type === 'committed') {
    if (entry.late !== undefined) books.lateCommits += 1;
    for (const id of entry.reservationIds) name(id);
  } else if (entry.type === 'released') {
    name(entry.reservationId);
  }
}

/** Whether the relay has brought this entry to Kafka, as of the reading of its progress. */
export function isRelayed({ lastDeliveredId, smallestPendingId }: JournalProgress, journalId: string): boolean {
  if (compareJournalIds(journalId, lastDeliveredId) > 0) return false;
  return smallestPendingId === undefined || compareJournalIds(journalId, smallestPendingId) < 0;
}

function compareJournalIds(a: string, b: string): number {
  const [aMs = 0, aSequence = 0] = a.split('-').map(Number);
  const [bMs = 0, bSequence = 0] = b.split('-').map(Number);
  return aMs - bMs || aSequence - bSequence;
}

export function notReady(eventId: string, why: string): SeckillError {
  return new SeckillError('SECKILL_ERR_NOT_READY', `${eventId} cannot be audited now: ${why}`);
}
