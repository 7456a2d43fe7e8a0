import { isDeepStrictEqual } from 'node:util';
import type { AuditCursor } from '../../ledger/audit-cursors.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { StockRef, StockTally } from '../../lua/stock.ts';
import type { Accuracy } from '../../services/domain/accounting.ts';
import type { Log } from '../../services/kit/log.ts';
import { type CompareDeps, compareAll, stillTheSame } from './audit-compare.ts';
import { type AuditMark, type DueDeps, type DueLine, hasPassed, takeMark } from './audit-due.ts';
import {
  AUDIT_CHANGED_OVERLAP_MS,
  AUDIT_FULL_REST_TIMES,
  AUDIT_FULL_SHORT_MS,
  AUDIT_JOURNAL_KEEP_MS,
  AUDIT_RECHECK_MS,
  AUDIT_SOLD_OFF_LOOKS,
} from './audit-limits.ts';
import { stockRefs, tallies } from './audit-readings.ts';
import { changedRows, findWrong, newRows, pageInTurn, type RoundDeps, type Suspect } from './audit-round.ts';
import { accuracyOf, cursorAfter, firstToKeep, isAsCounted, isSoldOff, listed } from './audit-state.ts';
import { createTail, type Tail } from './audit-tail.ts';

export interface FollowDeps extends DueDeps, Pick<CompareDeps, 'stock'> {
  log: Log;
  /** How long the journal keeps what was audited. */
  journalKeepMs?: number;
  /** Whether it also looks at all reservations in turn, a page a round, for what nothing tells of. It does unless told. */
  looksInTurn?: boolean;
  /** A full comparison that took long is followed by a rest of so many times its own length. */
  fullRestTimes?: number;
}

export interface AuditStep {
  accuracy: Accuracy;
  /** Whether this step looked at all that was due at the step before. */
  complete: boolean;
  /** Why everything was compared, when it was. */
  full?: string;
  /** Entries of the journal that are not due yet. */
  lagEntries: number;
}

/** The continuous audit of one sale. */
export interface AuditFollower {
  /**
   * Looks once. `undefined`: nothing can be said yet, or another leader was faster. Throws SECKILL_ERR_NOT_READY while
   * Redis is not the stock that the ledger means, and SECKILL_ERR_UNAVAILABLE when a server is away.
   */
  step(event: LedgerEvent): Promise<AuditStep | undefined>;
}

interface Memory {
  generation: number;
  /** Of what is saved: it must not have moved when the next one is. */
  version: number;
  /** As it is saved. Absent before the first full comparison of this generation. */
  cursor: AuditCursor | undefined;
  tail: Tail;
  mark: AuditMark | undefined;
  /** Of the database's server, when the rows were last counted. */
  deletions: string | undefined;
  /** Where the look at all reservations in turn goes on, by bucket. */
  scanCursors: string[];
  /** Once the next mark has passed, all is compared once more: what made the counts disagree may not have been due. */
  second: 'no' | 'with-next-mark' | 'with-this-mark';
  /**
   * How many looks in a row found other units counted as sold than Redis can account for. Once everything was compared
   * it is said what that is, and until they agree again no look counts.
   */
  soldOffLooks: number;
  /** What was audited one round ago: rows of those entries have been compared since. */
  trimmable: readonly string[] | undefined;
}

/**
 * Follows a sale from round to round (docs/adr/0008-continuous-audit.md). A round takes a mark of the pipeline; when the
 * consumers have passed it, all that is behind it is due: the journal's entries, new rows, rows that were changed, and
 * what was wrong before are compared by id. Beside that, what can be counted at one instant is compared with what the
 * journal adds up to. When a count disagrees, or something new is wrong, everything is compared, as the settlement does,
 * so that the numbers are always those of the whole sale.
 */
export function createAuditFollower(deps: FollowDeps): AuditFollower {
  const { stock, journal, ledger, log } = deps;
  const { journalKeepMs: keepMs = AUDIT_JOURNAL_KEEP_MS, fullRestTimes = AUDIT_FULL_REST_TIMES } = deps;
  let memory: Memory | undefined;
  let fullAtMs = Number.NEGATIVE_INFINITY;
  let fullRestMs = 0;

  async function load(event: LedgerEvent): Promise<Memory> {
    const { eventId, generation } = event;
    const saved = await ledger.audit.cursors.get(eventId);
    const cursor = saved?.generation === generation ? saved : undefined;
    const from = { journalIds: cursor?.journalIds ?? [], counted: cursor?.state.counted ?? [] };
    const tail = createTail(journal, eventId, from);
    return {
      ...{ generation, version: saved?.version ?? 0, cursor, tail, mark: undefined, deletions: undefined },
      ...{ scanCursors: [], second: 'no', soldOffLooks: 0, trimmable: undefined },
    };
  }

  /** Why everything must be compared, if it must. */
  async function disagreement(event: LedgerEvent, mine: Memory, counts: readonly StockTally[]) {
    const { cursor, tail } = mine;
    if (cursor === undefined) return 'no audit of this generation';
    const counted = await tail.readTo(counts);
    const now = await ledger.audit.now(event.eventId);
    const { deletions } = now;
    // Where single orders are wrong they may be why; then the counter is not judged.
    const judged = cursor.state.wrong.length === 0 && Object.keys(cursor.state.more).length === 0;
    const soldOff = judged && isSoldOff(event, counts, now, cursor.state.unsoldUnits);
    mine.soldOffLooks = soldOff ? mine.soldOffLooks + 1 : 0;
    if (deletions !== mine.deletions) {
      if ((await ledger.audit.countRows(event.eventId, cursor.lastSeq)) !== cursor.state.rows)
        return 'rows are missing';
      mine.deletions = deletions;
    }
    if (counted && !isAsCounted(tail.counted(), counts)) return 'the stock is not what its journal says';
    if (mine.soldOffLooks >= AUDIT_SOLD_OFF_LOOKS) return 'the ledger counts other units as sold';
    const { more, hiddenDrift, unsoldUnits } = cursor.state;
    const open = Object.keys(more).length > 0 || hiddenDrift > 0 || unsoldUnits !== 0;
    return open && performance.now() - fullAtMs >= AUDIT_RECHECK_MS ? 'what was found may be right again' : undefined;
  }

  async function compareFully(
    event: LedgerEvent,
    refs: readonly StockRef[],
    o: { line: DueLine; mark: AuditMark | undefined; why: string; mine: Memory; counts: readonly StockTally[] },
  ): Promise<AuditCursor> {
    const beganMs = performance.now();
    const comparison = await compareAll({ stock, journal, ledger, event }, refs, o.line);
    // A total that the journal did not change stays what it was: nothing else tells of it.
    const known = o.mine.tail.counted();
    const totals = comparison.redis.stocks.map(({ revision, totalUnits }, bucket) => {
      const { lastJournalId, revision: seen } = o.counts[bucket] ?? {};
      const counted = known[bucket];
      return counted !== undefined && counted.journalId === lastJournalId && seen === revision
        ? counted.totalUnits
        : totalUnits;
    });
    fullAtMs = performance.now();
    const tookMs = fullAtMs - beganMs;
    fullRestMs = tookMs > AUDIT_FULL_SHORT_MS ? tookMs * fullRestTimes : 0;
    const cursor = cursorAfter(comparison, {
      ...{ event, line: o.line, mark: o.mark, before: o.mine.cursor },
      totals,
    });
    const { eventId } = event;
    const { accuracy, findings } = comparison;
    const level = findings.length > 0 ? 'warn' : 'info';
    log[level]({ event: eventId, why: o.why, accuracy, findings: findings.slice(0, 5) }, 'the whole sale was compared');
    return cursor;
  }

  /** Compares what became due. `fresh`: something is wrong that was not known to be. */
  async function round(
    round: RoundDeps,
    refs: readonly StockRef[],
    o: { cursor: AuditCursor; tail: Tail; mark: AuditMark; scanCursors: string[] },
  ): Promise<{ next: AuditCursor; fresh: boolean }> {
    const { cursor, tail, mark } = o;
    const { state } = cursor;
    const entries = tail.dueAt(mark.line);
    const rows = await newRows(round, cursor.lastSeq, mark.line.lastSeq);
    const since = await changedRows(round, state.changedMs - AUDIT_CHANGED_OVERLAP_MS, mark.databaseMs);
    const changed = since.filter(({ seq }) => seq <= mark.line.lastSeq);
    const suspects = new Map<string, Suspect>();
    const page = deps.looksInTurn === false ? [] : await pageInTurn(round, refs, o.scanCursors, mark.line);
    for (const one of page) suspects.set(one.id, one);
    for (const { id, bucket } of [...rows, ...changed]) suspects.set(id, { id, bucket, told: false });
    for (const one of state.wrong) suspects.set(one.id, { ...one, told: one.number === 'broken' });
    for (const { ids, bucket, journalId, held } of entries) {
      for (const id of ids) {
        const told = held || suspects.get(id)?.told === true;
        suspects.set(id, { id, bucket, journalId: suspects.get(id)?.journalId ?? journalId, told });
      }
    }
    const wrong = await findWrong(round, refs, [...suspects.values()], mark.line);
    const known = new Map(state.wrong.map((one) => [one.id, one.number]));
    // Whether a reservation that is gone was ever there, only the full comparison says; that it is gone, both do.
    const same = new Set(['phantom', 'drift']);
    const kept = wrong.map((one) => {
      const before = known.get(one.id);
      return before !== undefined && same.has(before) && same.has(one.number) ? { ...one, number: before } : one;
    });
    // What has no room in the list may be found again: then only the full comparison counts it right.
    const isListed = Object.keys(state.more).length === 0;
    const next: AuditCursor = {
      ...cursor,
      journalIds: [...mark.line.journalIds],
      lastSeq: mark.line.lastSeq,
      state: {
        ...state,
        told: state.told + entries.filter(({ held }) => held).length,
        lateCommits: state.lateCommits + entries.filter(({ late }) => late).length,
        rows: state.rows + rows.length,
        changedMs: mark.databaseMs,
        counted: tail.counted(),
        ...listed(isListed ? kept : kept.filter(({ id }) => known.has(id)), state.more),
      },
    };
    return { next, fresh: kept.some(({ id, number }) => known.get(id) !== number) };
  }

  async function trim(mine: Memory, refs: readonly StockRef[], counts: readonly StockTally[]): Promise<void> {
    const { trimmable, cursor } = mine;
    if (trimmable === undefined || cursor === undefined) return;
    const nowMs = Math.min(...counts.map((one) => one.nowMs));
    const youngerThanId = `${Math.max(0, nowMs - keepMs)}-0`;
    const first = firstToKeep(refs, { auditedIds: trimmable, state: cursor.state, youngerThanId });
    for (const [index, ref] of refs.entries()) {
      const firstId = first[index] ?? '0-0';
      if (firstId !== '0-0') await stock.trim(ref, firstId);
    }
  }

  async function look(event: LedgerEvent): Promise<AuditStep | undefined> {
    const refs = stockRefs(event);
    if (memory?.generation !== event.generation) memory = undefined;
    memory ??= await load(event);
    const mine = memory;
    const counts = await tallies(stock, refs);
    let why = await disagreement(event, mine, counts);
    const countsDisagree = why !== undefined && mine.cursor !== undefined;
    const { cursor } = mine;
    const passed = mine.mark !== undefined && (await hasPassed(deps, mine.mark)) ? mine.mark : undefined;
    // In a generation that nobody has audited, nothing was read of the journals yet.
    const mark =
      passed === undefined || cursor === undefined ? passed : { ...passed, line: mine.tail.within(passed.line) };
    if (mark !== undefined && mine.second === 'with-this-mark') why ??= 'a second look at all';
    const mayCompare = performance.now() >= fullAtMs + fullRestMs;

    let next: AuditCursor | undefined;
    if (cursor !== undefined && mark !== undefined && (why === undefined || !mayCompare)) {
      const found = await round({ stock, ledger, event }, refs, { ...mine, cursor, mark });
      next = found.next;
      if (found.fresh) why ??= 'something new is wrong';
    }
    const line = mark?.line ?? cursor;
    const full = mayCompare && line !== undefined ? why : undefined;
    if (full !== undefined && line !== undefined) {
      next = await compareFully(event, refs, { line, mark, why: full, mine, counts });
    }
    if (next !== undefined) {
      await stillTheSame({ stock, ledger, event }, refs);
      if (!(await save(mine, next))) {
        memory = undefined;
        return undefined;
      }
      if (full === undefined) mine.tail.drop(next);
      else goOnFrom(mine, next, countsDisagree);
      await trim(mine, refs, counts);
      if (mark !== undefined) mine.trimmable = next.journalIds;
    }
    if (mark !== undefined || mine.mark === undefined) {
      mine.mark = await takeMark(deps, event);
      if (mine.second === 'with-next-mark') mine.second = 'with-this-mark';
    }
    if (mine.cursor === undefined) return undefined;
    const { state } = mine.cursor;
    const counted = full === undefined ? mine.tail.counted() : state.counted;
    return {
      accuracy: accuracyOf(event, { ...state, counted }, counts),
      complete: mark !== undefined && next !== undefined,
      lagEntries: mine.tail.length(),
      ...(full === undefined ? {} : { full }),
    };
  }

  function goOnFrom(mine: Memory, next: AuditCursor, countsDisagreed: boolean): void {
    const { journalIds, state } = next;
    mine.tail = createTail(journal, next.eventId, { journalIds, counted: state.counted });
    mine.deletions = undefined;
    mine.soldOffLooks = Number.NEGATIVE_INFINITY;
    mine.second = countsDisagreed ? 'with-next-mark' : 'no';
  }

  /** Nothing is written when nothing moved. */
  async function save(mine: Memory, next: AuditCursor): Promise<boolean> {
    const before = mine.cursor;
    if (before !== undefined && isDeepStrictEqual(asked(before), asked(next))) {
      mine.cursor = { ...next, version: before.version };
      return true;
    }
    if (!(await ledger.audit.cursors.save({ ...next, version: mine.version }))) return false;
    mine.version += 1;
    mine.cursor = { ...next, version: mine.version };
    return true;
  }

  return {
    async step(event) {
      try {
        return await look(event);
      } catch (error) {
        // What is half done is done again from the cursor.
        memory = undefined;
        throw error;
      }
    },
  };
}

/** All of a cursor that is worth a write: the time up to which rows were looked at moves by itself. */
function asked({ state, ...cursor }: AuditCursor): object {
  return { ...cursor, version: 0, state: { ...state, changedMs: 0 } };
}
