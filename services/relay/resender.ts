import { compareJournalIds, type Journal } from '../../lua/journal.ts';
import type { HeldEntry } from '../../lua/journal-entry.ts';
import type { Stock, StockRef } from '../../lua/stock.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Log } from '../kit/log.ts';
import type { RelayCounts } from './counts.ts';
import { holdMessage, type Place, type Topics } from './letter.ts';
import { RESEND_PAGE_ENTRIES, RESEND_PAGES_MAX, RESEND_SUSPECTS_MAX } from './limits.ts';
import type { Outbox } from './outbox.ts';

export interface ResenderOptions {
  place: Place;
  stock: Pick<Stock, 'snapshot' | 'lookup'>;
  journal: Pick<Journal, 'range'>;
  holds: Outbox;
  topics: Topics;
  resendAfterMs: number;
  resendMaxTimes: number;
  counts: RelayCounts;
  faults: Faults;
  log: Log;
}

/**
 * Sends holds again that are still not committed long after Kafka took them: Kafka, or a consumer, may have lost one.
 * The journal is the memory of what was sent, so that this works in a new process too; a look costs one snapshot when
 * nothing is held. The waits double, so that consumers who are only slow are not buried. Every relay looks by itself:
 * a hold is sent again at most so many times by each relay process.
 */
export interface Resender {
  /** The journal was behind: what was sent just now is older than it looks. */
  sentLate(): void;
  /** Looks once. `ref` is the stock as the registry names it now. Rejects when Redis or Kafka is away: look later. */
  look(ref: StockRef): Promise<void>;
}

interface Suspect {
  entry: HeldEntry;
  times: number;
  /** Redis time. */
  dueMs: number;
}

export function createResender(options: ResenderOptions): Resender {
  const { place, stock, journal, holds, topics, resendAfterMs, resendMaxTimes, counts, faults, log } = options;
  const { eventId, bucket } = place;
  const suspects = new Map<string, Suspect>();
  let cursor = '0-0';
  let quietUntilMs = 0;

  async function look(ref: StockRef): Promise<void> {
    if (performance.now() < quietUntilMs) return;
    const snapshot = await stock.snapshot(ref);
    // While it recovers, the ledger's rows are brought by the rebuild.
    if (snapshot.status !== 'ok' || snapshot.mode === 'recovering') return;
    const { nowMs, heldUnits } = snapshot;
    if (heldUnits === 0) {
      suspects.clear();
      const oldId = `${nowMs - resendAfterMs}-0`;
      if (compareJournalIds(oldId, cursor) > 0) cursor = oldId;
      return;
    }
    await lookAgain(ref, nowMs);
    await search(ref, nowMs);
  }

  async function lookAgain(ref: StockRef, nowMs: number): Promise<void> {
    const due: Suspect[] = [];
    for (const suspect of suspects.values()) {
      if (suspect.dueMs > nowMs) continue;
      due.push(suspect);
      if (due.length === RESEND_PAGE_ENTRIES) break;
    }
    const held = await stillHeld(
      ref,
      due.map(({ entry }) => entry),
    );
    if (held === undefined) return;
    for (const { entry } of due) if (!held.has(entry)) suspects.delete(entry.reservationId);
    await resend(
      due.filter(({ entry }) => held.has(entry)),
      nowMs,
    );
  }

  /** Goes through the journal up to what is old enough. */
  async function search(ref: StockRef, nowMs: number): Promise<void> {
    for (
      let page = 0;
      page < RESEND_PAGES_MAX && suspects.size + RESEND_PAGE_ENTRIES <= RESEND_SUSPECTS_MAX;
      page += 1
    ) {
      const entries = await journal.range(eventId, bucket, cursor, RESEND_PAGE_ENTRIES);
      const old = entries.filter(({ id }) => timeOf(id) <= nowMs - resendAfterMs);
      const last = old.at(-1);
      if (last === undefined) return;
      const holdsOfPage = old.filter((entry) => entry.type === 'held');
      const held = await stillHeld(ref, holdsOfPage);
      if (held === undefined) return;
      const found = holdsOfPage.filter((entry) => held.has(entry)).map((entry) => ({ entry, times: 0, dueMs: nowMs }));
      for (const suspect of found) suspects.set(suspect.entry.reservationId, suspect);
      cursor = last.id;
      await resend(found, nowMs);
      if (old.length < RESEND_PAGE_ENTRIES) return;
    }
  }

  async function stillHeld(ref: StockRef, entries: readonly HeldEntry[]): Promise<Set<HeldEntry> | undefined> {
    if (entries.length === 0) return new Set();
    const found = await stock.lookup(
      ref,
      entries.map((entry) => entry.reservationId),
    );
    if (found.status !== 'found') return undefined;
    return new Set(entries.filter((_, index) => found.reservations[index]?.state === 'held'));
  }

  async function resend(due: readonly Suspect[], nowMs: number): Promise<void> {
    if (due.length === 0) return;
    await holds.send(due.map(({ entry }) => holdMessage(entry, place, topics)));
    faults.at('relay.after-resend');
    counts.add('resent', due.length);
    log.warn({ eventId, bucket, holds: due.length }, 'holds are long uncommitted and were sent again');
    for (const suspect of due) {
      suspect.times += 1;
      suspect.dueMs = nowMs + resendAfterMs * 2 ** suspect.times;
      if (suspect.times >= resendMaxTimes) suspects.delete(suspect.entry.reservationId);
    }
  }

  return {
    look,
    sentLate() {
      quietUntilMs = performance.now() + resendAfterMs;
    },
  };
}

function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}
