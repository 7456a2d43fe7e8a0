import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerBooks } from '../../ledger/audit.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { Journal } from '../../lua/journal.ts';
import { bucketOf } from '../../lua/keys.ts';
import type { Stock, StockRef } from '../../lua/stock.ts';
import { type Account, type Accuracy, account, type Books, type Finding } from '../../services/domain/accounting.ts';
import type { OrderState } from '../../services/domain/order.ts';
import type { Admin } from '../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC, ORDER_GROUP } from '../../services/kit/kafka/topics.ts';
import {
  AUDIT_FINDINGS_MAX,
  AUDIT_LOOK_MAX_IDS,
  AUDIT_LOOK_PAUSE_MS,
  AUDIT_LOOKS_AGAIN,
  AUDIT_OFFSETS_POLL_MS,
  AUDIT_OFFSETS_WAIT_MS,
} from './audit-limits.ts';
import { isRelayed, notReady, type Place, type RedisBooks, readRedis, snapshots, stockRefs } from './audit-readings.ts';

export interface AuditDeps {
  stock: Stock;
  journal: Journal;
  ledger: Ledger;
  kafka: Admin;
  /** As the ledger has it now. */
  event: LedgerEvent;
  topic?: string;
  group?: string;
}

export interface AuditOptions {
  /** Takes everything that was told as due, as the settlement does. */
  settled: boolean;
  /** How long to wait for the consumers. */
  waitMs?: number;
}

export interface AuditReport {
  accuracy: Accuracy;
  counts: {
    /** Holds that the journal records. */
    told: number;
    /** Those of them that must have an order by now. */
    due: number;
    orders: Partial<Record<OrderState, number>>;
    voided: number;
    /** Commits that took units of their own, because Redis did not know the reservation. */
    lateCommits: number;
    /** Recoveries that were finished. */
    rebuilds: number;
  };
  /** Whether all that was told is due by itself, without the caller's word that the sale is settled. */
  complete: boolean;
  /** What is wrong, at most AUDIT_FINDINGS_MAX of it; `accuracy` counts all. */
  findings: Finding[];
}

/**
 * Compares Redis with the ledger by id, as DESIGN.md §8 has it. An entry is due when the relay had acknowledged it, and
 * the consumers have reached the end that Kafka's partitions had after that: their offsets go on only behind the order
 * and its commit. So a running sale's lag is never an error, and without the consumers nothing is due.
 *
 * Whatever looks wrong is looked at again on both sides, because a sale moves between two readings. Throws
 * SECKILL_ERR_NOT_READY when Redis is not the stock that the ledger means (recovering, another run or generation, also
 * when it became so meanwhile): there is nothing to compare then, and the caller asks again later.
 */
export async function auditEvent(deps: AuditDeps, options: AuditOptions): Promise<AuditReport> {
  const { stock, journal, ledger, event } = deps;
  const refs = stockRefs(event);
  const progress = await Promise.all(refs.map((ref) => journal.progress(ref.eventId, ref.bucket)));
  const passed = await consumersPassed(deps, options.waitMs ?? AUDIT_OFFSETS_WAIT_MS);

  const redis = await readRedis(stock, journal, refs);
  const books = await ledgerBooks(deps);
  const hasArrived = (id: string): boolean => {
    const place = redis.journaled.get(id) ?? redis.loaded.get(id);
    const relay = place === undefined ? undefined : progress[place.bucket];
    return passed && place !== undefined && relay !== undefined && isRelayed(relay, place.journalId);
  };
  const isDue = options.settled ? () => true : hasArrived;
  const both: BothBooks = { redis, ledger: books, isDue };
  const { accuracy, findings } = await judge(deps, refs, both);
  await stillTheSame(stock, ledger, event, refs);

  const orders = countStates(books);
  return {
    accuracy,
    counts: {
      told: redis.told.size,
      due: [...redis.told].filter(isDue).length,
      orders,
      voided: orders.VOIDED ?? 0,
      lateCommits: redis.lateCommits,
      rebuilds: books.event.rebuilds,
    },
    complete: passed && [...redis.told].every(hasArrived),
    findings: findings.slice(0, AUDIT_FINDINGS_MAX),
  };
}

interface BothBooks {
  redis: RedisBooks;
  ledger: LedgerBooks;
  isDue(id: string): boolean;
}

/** Whether the consumers reached, in time, the end that every partition has now. */
async function consumersPassed({ kafka, topic, group }: AuditDeps, waitMs: number): Promise<boolean> {
  const untilMs = performance.now() + waitMs;
  const ends = await kafka.endOffsets(topic ?? HOLDS_TOPIC);
  for (;;) {
    const committed = await kafka.committedOffsets(group ?? ORDER_GROUP, topic ?? HOLDS_TOPIC);
    if ([...ends].every(([partition, end]) => end === 0n || (committed.get(partition) ?? -1n) >= end)) return true;
    if (performance.now() >= untilMs) return false;
    await delay(AUDIT_OFFSETS_POLL_MS);
  }
}

async function ledgerBooks({ ledger, event }: AuditDeps): Promise<LedgerBooks> {
  const books = await ledger.audit.books(event.eventId);
  if (books === undefined) throw notReady(event.eventId, 'the ledger has no such event');
  return books;
}

/**
 * What is found about single orders is looked at again, by id. What the ledger alone says (oversold, over the limit) is
 * true of one instant, and mixing in later looks would spoil it: that is read again as a whole.
 */
async function judge(deps: AuditDeps, refs: readonly StockRef[], both: BothBooks): Promise<Account> {
  const first = account(asBooks(both));
  let whole = first;
  if (first.accuracy.oversold + first.accuracy.overLimit > 0) {
    await delay(AUDIT_LOOK_PAUSE_MS);
    whole = account(asBooks({ ...both, ledger: await ledgerBooks(deps) }));
  }
  let single = first;
  for (let look = 1; look <= AUDIT_LOOKS_AGAIN; look += 1) {
    const ids = single.findings.filter(isAboutOneOrder).flatMap(({ id }) => (id === undefined ? [] : [id]));
    if (ids.length === 0) break;
    if (look > 1) await delay(AUDIT_LOOK_PAUSE_MS);
    await lookAgain(deps, refs, both, ids);
    single = account(asBooks(both));
  }
  const { oversold, overLimit } = whole.accuracy;
  return {
    accuracy: { ...single.accuracy, oversold, overLimit },
    findings: [
      ...whole.findings.filter(({ number }) => number === 'oversold' || number === 'overLimit'),
      ...single.findings.filter(({ number }) => number !== 'oversold' && number !== 'overLimit'),
    ],
  };
}

function isAboutOneOrder({ number, id }: Finding): boolean {
  return id !== undefined && number !== 'overLimit';
}

async function lookAgain(
  { stock, ledger, event }: AuditDeps,
  refs: readonly StockRef[],
  { redis, ledger: books }: BothBooks,
  ids: readonly string[],
): Promise<void> {
  const bucketOfId = (id: string): number => {
    const place: Place | undefined = redis.journaled.get(id) ?? redis.loaded.get(id);
    return place?.bucket ?? bucketOf(books.orders.get(id)?.buyer ?? '', event.buckets);
  };
  for (const ref of refs) {
    const mine = ids.filter((id) => bucketOfId(id) === ref.bucket);
    for (let at = 0; at < mine.length; at += AUDIT_LOOK_MAX_IDS) {
      const some = mine.slice(at, at + AUDIT_LOOK_MAX_IDS);
      const found = await stock.lookup(ref, some);
      if (found.status === 'not-ready') throw notReady(event.eventId, `Redis: ${found.reason}`);
      const fresh = await ledger.audit.look(event.eventId, some);
      for (const [index, id] of some.entries()) {
        replace(redis.reservations, id, found.reservations[index]);
        replace(books.orders, id, fresh.orders.get(id));
        if (fresh.returning.has(id)) books.returning.add(id);
        else books.returning.delete(id);
      }
    }
  }
}

function replace<T>(map: Map<string, T>, id: string, value: T | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}

function asBooks({ redis, ledger, isDue }: BothBooks): Books {
  const { event, orders, returning } = ledger;
  return {
    totalUnits: event.totalUnits,
    unitsPerBuyer: event.unitsPerBuyer,
    over: event.closed || redis.stocks.every(({ nowMs }) => nowMs >= event.endMs),
    stocks: redis.stocks,
    reservations: redis.reservations,
    told: redis.told,
    journaled: redis.journaled,
    orders,
    returning,
    isDue,
  };
}

/** A recovery that began meanwhile has made the comparison void. */
async function stillTheSame(
  stock: Stock,
  ledger: Ledger,
  event: LedgerEvent,
  refs: readonly StockRef[],
): Promise<void> {
  await snapshots(stock, refs);
  const now = await ledger.events.get(event.eventId);
  if (now === undefined || now.state === 'recovering' || now.generation !== event.generation) {
    throw notReady(event.eventId, 'it changed while it was read');
  }
}

function countStates({ orders }: LedgerBooks): Partial<Record<OrderState, number>> {
  const counts: Partial<Record<OrderState, number>> = {};
  for (const { state } of orders.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
