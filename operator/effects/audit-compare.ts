import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerBooks } from '../../ledger/audit.ts';
import type { Wrong } from '../../ledger/audit-cursors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { Journal } from '../../lua/journal.ts';
import { bucketOf } from '../../lua/keys.ts';
import type { Stock, StockRef, StockTally } from '../../lua/stock.ts';
import { type Account, account, type Books, type Finding } from '../../services/domain/accounting.ts';
import { isLive } from '../../services/domain/order.ts';
import { isReservationId } from '../../services/domain/reservation.ts';
import { type DueLine, isBehind } from './audit-due.ts';
import { AUDIT_LOOK_MAX_IDS, AUDIT_LOOK_PAUSE_MS, AUDIT_LOOKS_AGAIN } from './audit-limits.ts';
import { lookUp, notReady, type Place, type RedisBooks, readRedis, tallies } from './audit-readings.ts';

export interface CompareDeps {
  stock: Stock;
  journal: Journal;
  ledger: Ledger;
  /** As the ledger has it now. */
  event: LedgerEvent;
}

/** All of one event, compared by id. */
export interface Comparison extends Account {
  redis: RedisBooks;
  ledger: LedgerBooks;
  /** Units by which counters are off although they agree with each other; absent when that cannot be told. */
  hiddenUnits: number | undefined;
  /** Units of live orders, less those that the ledger counts as sold. */
  unsoldUnits: number;
  /** Those of them that no order explains which is wrong, or not due: by so many units the ledger's counter is off. */
  soldUnitsOff: number;
  /** Where a reservation stands in the journal, as far as Redis knows. */
  placeOf(id: string): Place | undefined;
}

/**
 * Reads all that Redis and the ledger have of an event and compares it by id; what is not behind `line` is not judged,
 * and everything is when it is 'all'. The journal may have been trimmed below the cursor of the continuous audit: what
 * stands before it was compared once and found in Redis, and that is remembered by where the cursor stands.
 *
 * Whatever looks wrong is looked at again on both sides, because a sale moves between two readings. Throws
 * SECKILL_ERR_NOT_READY when Redis is not the stock that the ledger means, also when it became so meanwhile.
 */
export async function compareAll(
  deps: CompareDeps,
  refs: readonly StockRef[],
  line: DueLine | 'all',
): Promise<Comparison> {
  const { stock, journal } = deps;
  // The cursor is read with the ledger's books, after the journal: what was trimmed while that was read is behind it.
  const redis = await readRedis(stock, journal, refs);
  const both = bothOf(redis, await ledgerBooks(deps), line);
  // Of one instant: what is looked at again below is of a later one.
  const unsoldUnits = unsoldIn(both.ledger);
  const unexplainedUnits = Math.max(0, Math.abs(unsoldUnits) - undueUnits(both, unsoldUnits < 0));
  const judged = await judge(deps, refs, both);
  const after = await stillTheSame(deps, refs);
  const quiet = after.every(({ lastJournalId }, bucket) => lastJournalId === redis.stocks[bucket]?.lastJournalId);
  // With a single reservation that is wrong, nobody can say whether it or the counters are off.
  const clear = judged.findings.every(({ id }) => id === undefined);
  const hiddenUnits = clear && quiet ? hiddenIn(redis) : undefined;
  const soldUnitsOff = clear ? unexplainedUnits : 0;
  const hidden = 'the counters add up, and are off from what the reservations have';
  const sold = 'the ledger counts other units as sold than its live orders have';
  return {
    ...withDrift(withDrift(judged, hiddenUnits ?? 0, hidden), soldUnitsOff, sold),
    hiddenUnits,
    unsoldUnits,
    soldUnitsOff,
    redis,
    ledger: both.ledger,
    placeOf: (id) => placeOf(both, id),
  };
}

function hiddenIn({ stocks, reservations }: RedisBooks): number {
  let [heldUnits, committedUnits, gap] = [0, 0, 0];
  for (const stock of stocks) {
    heldUnits += stock.heldUnits;
    committedUnits += stock.committedUnits;
    gap += Math.abs(stock.totalUnits - stock.availableUnits - stock.heldUnits - stock.committedUnits);
  }
  // That they contradict each other is counted already.
  if (gap > 0) return 0;
  for (const reservation of reservations.values()) {
    if (reservation.state === 'held') heldUnits -= reservation.units;
    if (reservation.state === 'committed') committedUnits -= reservation.units;
  }
  return Math.max(Math.abs(heldUnits), Math.abs(committedUnits));
}

function unsoldIn({ event, orders }: LedgerBooks): number {
  let liveUnits = 0;
  for (const { state, units } of orders.values()) if (isLive(state)) liveUnits += units;
  return liveUnits - event.soldUnits;
}

/** Units of what is not due and may be wrong: holds without an order, or live orders, which nobody may have held. */
function undueUnits(both: Both, ofHolds: boolean): number {
  const { redis, ledger } = both;
  let units = 0;
  if (ofHolds) {
    for (const id of redis.told) {
      const reservation = redis.reservations.get(id);
      const holds = reservation?.state === 'held' || reservation?.state === 'committed';
      if (holds && !ledger.orders.has(id) && !isDue(both, id)) units += reservation.units;
    }
  } else {
    for (const [id, order] of ledger.orders) if (isLive(order.state) && !isDue(both, id)) units += order.units;
  }
  return units;
}

function withDrift(judged: Account, units: number, what: string): Account {
  if (units === 0) return judged;
  const { accuracy, findings } = judged;
  return {
    accuracy: { ...accuracy, drift: accuracy.drift + units },
    findings: [...findings, { number: 'drift', what: `${what}: ${units} units` }],
  };
}

interface Both {
  redis: RedisBooks;
  ledger: LedgerBooks;
  line: DueLine | 'all';
  /** Holds that were found without an order, perhaps before Redis forgot them: they are still owed to their buyers. */
  owed: ReadonlySet<string>;
  /** Orders that were found without a reservation: Redis never had it. */
  invented: ReadonlySet<string>;
}

function bothOf(redis: RedisBooks, ledger: LedgerBooks, line: DueLine | 'all'): Both {
  const ids = (number: Wrong['number']) =>
    new Set((ledger.cursor?.state.wrong ?? []).filter((wrong) => wrong.number === number).map(({ id }) => id));
  return { redis, ledger, line, owed: ids('broken'), invented: ids('phantom') };
}

function placeOf({ redis }: Both, id: string): Place | undefined {
  return redis.origins.get(id) ?? redis.journaled.get(id);
}

function isDue(both: Both, id: string): boolean {
  const { redis, line, ledger, owed } = both;
  // Waiting makes nothing readable.
  if (line === 'all' || redis.reservations.get(id)?.state === 'malformed') return true;
  // What the continuous audit has behind it was due then, and is due for good.
  const lines = ledger.cursor === undefined ? [line] : [line, ledger.cursor];
  const place = placeOf(both, id);
  if (place !== undefined) return lines.some((one) => isBehind(one, place));
  const order = ledger.orders.get(id);
  return order === undefined ? owed.has(id) : lines.some(({ lastSeq }) => order.seq <= lastSeq);
}

function isTold({ redis, ledger, owed }: Both, id: string): boolean {
  if (redis.told.has(id) || owed.has(id)) return true;
  const origin = redis.origins.get(id);
  return origin !== undefined && ledger.cursor !== undefined && isBehind(ledger.cursor, origin);
}

/** Named by what is left of the journal, or there when its row was audited: then Redis had it once. */
function isJournaled({ redis, ledger, invented }: Both, id: string): boolean {
  if (redis.journaled.has(id)) return true;
  const order = ledger.orders.get(id);
  return order !== undefined && order.seq <= (ledger.cursor?.lastSeq ?? 0) && !invented.has(id);
}

async function ledgerBooks({ ledger, event }: CompareDeps): Promise<LedgerBooks> {
  const books = await ledger.audit.books(event.eventId);
  if (books === undefined) throw notReady(event.eventId, 'the ledger has no such event');
  return books;
}

/**
 * What is found about single orders is looked at again, by id. What the ledger alone says (oversold, over the limit) is
 * true of one instant, and mixing in later looks would spoil it: that is read again as a whole.
 */
async function judge(deps: CompareDeps, refs: readonly StockRef[], both: Both): Promise<Account> {
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
  { stock, ledger, event }: CompareDeps,
  refs: readonly StockRef[],
  both: Both,
  ids: readonly string[],
): Promise<void> {
  const { redis, ledger: books } = both;
  const bucketOfId = (id: string): number =>
    placeOf(both, id)?.bucket ?? bucketOf(books.orders.get(id)?.buyer ?? '', event.buckets);
  for (const ref of refs) {
    const mine = ids.filter((id) => bucketOfId(id) === ref.bucket);
    for (let at = 0; at < mine.length; at += AUDIT_LOOK_MAX_IDS) {
      const some = mine.slice(at, at + AUDIT_LOOK_MAX_IDS);
      const found = await lookUp(stock, ref, some);
      const fresh = await ledger.audit.look(event.eventId, some);
      for (const id of some) {
        // What is no reservation's id can only be read with all the others: there it stays what it was.
        if (isReservationId(id)) replace(redis.reservations, id, found.get(id));
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

function asBooks(both: Both): Books {
  const { redis, ledger } = both;
  const { event, orders, returning } = ledger;
  const told = new Set([...redis.told, ...both.owed]);
  for (const id of redis.origins.keys()) if (isTold(both, id)) told.add(id);
  return {
    totalUnits: event.totalUnits,
    unitsPerBuyer: event.unitsPerBuyer,
    over: isOver(event, redis.stocks),
    stocks: redis.stocks,
    reservations: redis.reservations,
    told,
    journaled: { has: (id) => isJournaled(both, id) },
    orders,
    returning,
    isDue: (id) => isDue(both, id),
  };
}

/** Whether nothing can be sold any more, by the clock of Redis. */
export function isOver({ closed, endMs }: LedgerEvent, stocks: readonly { nowMs: number }[]): boolean {
  return closed || stocks.every(({ nowMs }) => nowMs >= endMs);
}

/** A recovery that began meanwhile has made the comparison void. The answer is what is counted now. */
export async function stillTheSame(
  { stock, ledger, event }: Pick<CompareDeps, 'stock' | 'ledger' | 'event'>,
  refs: readonly StockRef[],
): Promise<StockTally[]> {
  const counts = await tallies(stock, refs);
  const now = await ledger.events.get(event.eventId);
  if (now === undefined || now.state === 'recovering' || now.generation !== event.generation) {
    throw notReady(event.eventId, 'it changed while it was read');
  }
  return counts;
}
