import type { LedgerEvent } from '../../ledger/rows.ts';
import type { Journal } from '../../lua/journal.ts';
import type { JournalEntry } from '../../lua/journal-entry.ts';
import type { Stock, StockRef, StockTally } from '../../lua/stock.ts';
import type { ReservationFact } from '../../services/domain/accounting.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { isReservationId } from '../../services/domain/reservation.ts';
import { AUDIT_JOURNAL_PAGE_ENTRIES } from './audit-limits.ts';

/** Where the journal, or else the reservation itself, first speaks of a reservation. */
export interface Place {
  bucket: number;
  journalId: string;
}

/** What Redis says of one event, by reservation id. */
export interface RedisBooks {
  /** Read before all the rest. */
  stocks: StockTally[];
  reservations: Map<string, ReservationFact>;
  /** Recorded as held in what is left of the journal. */
  told: Set<string>;
  journaled: Map<string, Place>;
  /** Where each reservation says that it came from, whether or not the journal still has it. */
  origins: Map<string, Place>;
  /** Commits that took units of their own, by where the journal tells of them. */
  late: Place[];
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
    stocks: await tallies(stock, refs),
    reservations: new Map(),
    told: new Set(),
    journaled: new Map(),
    origins: new Map(),
    late: [],
  };
  for (const ref of refs) {
    await readJournal(journal, ref, books);
    for await (const reservation of stock.scanReservations(ref)) {
      const { reservationId } = reservation;
      books.reservations.set(reservationId, reservation);
      if (reservation.state === 'malformed') continue;
      books.origins.set(reservationId, { bucket: ref.bucket, journalId: reservation.journalId });
    }
  }
  return books;
}

/** What each bucket counts. Throws SECKILL_ERR_NOT_READY when one is not what the ledger means. */
export function tallies(stock: Stock, refs: readonly StockRef[]): Promise<StockTally[]> {
  return Promise.all(
    refs.map(async (ref) => {
      const tally = await stock.tally(ref);
      if (tally.status === 'not-ready') throw notReady(ref.eventId, `Redis: ${tally.reason}`);
      return tally;
    }),
  );
}

/**
 * The present word of Redis on reservations; throws as `tallies` does. Rows and journal entries that were made by hand
 * may name anything: what is no reservation's id is not asked for, and is not there.
 */
export async function lookUp(stock: Stock, ref: StockRef, ids: readonly string[]) {
  const found = await stock.lookup(ref, ids.filter(isReservationId));
  if (found.status === 'not-ready') throw notReady(ref.eventId, `Redis: ${found.reason}`);
  const there = found.reservations.filter((one) => one !== undefined);
  return new Map(there.map((one) => [one.reservationId, one]));
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
    if (entry.late !== undefined) books.late.push(place);
    for (const id of entry.reservationIds) name(id);
  } else if (entry.type === 'released') {
    name(entry.reservationId);
  }
}

export function notReady(eventId: string, why: string): SeckillError {
  return new SeckillError('SECKILL_ERR_NOT_READY', `${eventId} cannot be audited now: ${why}`);
}
