import { setTimeout as delay } from 'node:timers/promises';
import type { RowPlace } from '../../ledger/audit.ts';
import type { Wrong } from '../../ledger/audit-cursors.ts';
import { PAGE_MAX_ROWS } from '../../ledger/limits.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { StockRef } from '../../lua/stock.ts';
import { judgeOne } from '../../services/domain/accounting.ts';
import type { CompareDeps } from './audit-compare.ts';
import { type DueLine, isBehind } from './audit-due.ts';
import { AUDIT_LOOK_MAX_IDS, AUDIT_LOOK_PAUSE_MS, AUDIT_LOOKS_AGAIN } from './audit-limits.ts';
import { lookUp } from './audit-readings.ts';

/** A reservation that changed, as far as what told of it knows. */
export interface Suspect {
  id: string;
  bucket: number;
  journalId?: string;
  /** The journal says that it was held. */
  told: boolean;
}

export type RoundDeps = Pick<CompareDeps, 'stock' | 'ledger'> & { event: LedgerEvent };

/**
 * Compares reservations by id on both sides, and says which are wrong. Like every look at a moving sale, what looks wrong
 * is looked at again. All of them are due.
 */
export async function findWrong(
  deps: RoundDeps,
  refs: readonly StockRef[],
  all: readonly Suspect[],
  line: DueLine,
): Promise<Wrong[]> {
  let suspects: Suspect[] = [...all];
  let wrong: Wrong[] = [];
  for (let look = 0; look <= AUDIT_LOOKS_AGAIN; look += 1) {
    if (look > 1) await delay(AUDIT_LOOK_PAUSE_MS);
    const found: [Suspect, Wrong][] = [];
    for (const ref of refs) {
      const mine = suspects.filter(({ bucket }) => bucket === ref.bucket);
      for (let at = 0; at < mine.length; at += AUDIT_LOOK_MAX_IDS) {
        found.push(...(await lookAt(deps, ref, mine.slice(at, at + AUDIT_LOOK_MAX_IDS))));
      }
    }
    suspects = found.map(([suspect]) => suspect);
    wrong = found.map(([, one]) => one);
    if (suspects.length === 0) break;
  }
  return [...wrong, ...(await findOverLimit(deps, all, line))];
}

async function lookAt(
  { stock, ledger, event }: RoundDeps,
  ref: StockRef,
  some: Suspect[],
): Promise<[Suspect, Wrong][]> {
  const ids = some.map(({ id }) => id);
  // Redis first: whoever ends an order tells the ledger first, so that the ledger's word is never the older one.
  const found = await lookUp(stock, ref, ids);
  const { orders, returning } = await ledger.audit.look(event.eventId, ids);
  return some.flatMap((suspect): [Suspect, Wrong][] => {
    const { id, told } = suspect;
    const reservation = found.get(id);
    const fact = { order: orders.get(id), reservation, told, journaled: told, returning: returning.has(id) };
    const verdict = judgeOne(fact);
    if (verdict === undefined) return [];
    const origin = reservation?.state === 'malformed' ? undefined : reservation?.journalId;
    const journalId = origin ?? suspect.journalId;
    const { bucket } = suspect;
    return [[suspect, { number: verdict.number, id, bucket, ...(journalId === undefined ? {} : { journalId }) }]];
  });
}

async function findOverLimit({ ledger, event }: RoundDeps, all: readonly Suspect[], line: DueLine): Promise<Wrong[]> {
  const { eventId, unitsPerBuyer } = event;
  const found = new Map<string, Wrong>();
  for (let at = 0; at < all.length; at += AUDIT_LOOK_MAX_IDS) {
    const ids = all.slice(at, at + AUDIT_LOOK_MAX_IDS).map(({ id }) => id);
    for (const one of await ledger.audit.overLimit(eventId, { unitsPerBuyer, upToSeq: line.lastSeq, ids })) {
      found.set(one.id, { number: 'overLimit', ...one });
    }
  }
  return [...found.values()];
}

/**
 * The next page of all reservations in each bucket, as far as they are due: what nobody tells of is found in turn, at the
 * same cost in each round. `cursors` are where the last page ended, and are moved on.
 */
export async function pageInTurn(
  { stock }: RoundDeps,
  refs: readonly StockRef[],
  cursors: string[],
  line: DueLine,
): Promise<Suspect[]> {
  const found: Suspect[] = [];
  for (const ref of refs) {
    const { bucket } = ref;
    const page = await stock.scanPage(ref, cursors[bucket] ?? '0');
    cursors[bucket] = page.cursor;
    for (const reservation of page.reservations) {
      const id = reservation.reservationId;
      if (reservation.state === 'malformed') found.push({ id, bucket, told: false });
      else if (isBehind(line, { bucket, journalId: reservation.journalId }))
        found.push({ id, bucket, journalId: reservation.journalId, told: false });
    }
  }
  return found;
}

/** All rows after one `seq` up to another. */
export async function newRows({ ledger, event }: RoundDeps, afterSeq: number, upToSeq: number): Promise<RowPlace[]> {
  const rows: RowPlace[] = [];
  for (let after = afterSeq; ; ) {
    const page = await ledger.audit.rowsBetween(event.eventId, after, upToSeq);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_MAX_ROWS) return rows;
    after = last.seq;
  }
}

/** All rows that were changed in this time of the database. */
export async function changedRows({ ledger, event }: RoundDeps, fromMs: number, upToMs: number): Promise<RowPlace[]> {
  const rows: RowPlace[] = [];
  for (let after = { changedMs: fromMs, seq: 0 }; ; ) {
    const page = await ledger.audit.changedRows(event.eventId, after, upToMs);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_MAX_ROWS) return rows;
    after = last;
  }
}
