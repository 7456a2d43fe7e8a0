import type { AuditCursor, AuditState, Counted, Wrong } from '../../ledger/audit-cursors.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import { earlierJournalId } from '../../lua/journal.ts';
import type { StockRef, StockTally } from '../../lua/stock.ts';
import { type Accuracy, leftUnsold } from '../../services/domain/accounting.ts';
import { isAudited, toldUpTo } from './audit.ts';
import { type Comparison, isOver } from './audit-compare.ts';
import { type AuditMark, type DueLine, isBehind } from './audit-due.ts';
import { AUDIT_WRONG_MAX } from './audit-limits.ts';

/** The part of the state that lists what is wrong: as much as there is room for, and a count of the rest. */
export function listed(wrong: readonly Wrong[], before: AuditState['more'] = {}): Pick<AuditState, 'wrong' | 'more'> {
  const more = { ...before };
  for (const { number } of wrong.slice(AUDIT_WRONG_MAX)) more[number] = (more[number] ?? 0) + 1;
  return { wrong: wrong.slice(0, AUDIT_WRONG_MAX), more };
}

/** The six numbers of the whole sale, from what is kept of it and what can be counted of it at this moment. */
export function accuracyOf(event: LedgerEvent, state: AuditState, tallies: readonly StockTally[]): Accuracy {
  const of = (number: Wrong['number']) =>
    state.wrong.filter((wrong) => wrong.number === number).length + (state.more[number] ?? 0);
  return {
    oversold: Math.max(0, event.soldUnits + state.unsoldUnits - event.totalUnits),
    undersold: leftUnsold(isOver(event, tallies), tallies),
    broken: of('broken'),
    phantom: of('phantom'),
    overLimit: of('overLimit'),
    drift: of('drift') + Math.max(driftOfCounters(state.counted, tallies), state.hiddenDrift) + state.soldDrift,
  };
}

/** By how much counters contradict each other, or a total the journal. */
function driftOfCounters(counted: readonly Counted[], tallies: readonly StockTally[]): number {
  let drift = 0;
  for (const [bucket, { totalUnits, availableUnits, heldUnits, committedUnits, lastJournalId }] of tallies.entries()) {
    const gap = Math.abs(totalUnits - availableUnits - heldUnits - committedUnits);
    const mine = counted[bucket];
    const known = mine?.journalId === lastJournalId;
    drift += Math.max(gap, known ? Math.abs(totalUnits - mine.totalUnits) : 0);
  }
  return drift;
}

/** Whether a bucket has what its journal says, as far as that was counted to the same entry. */
export function isAsCounted(counted: readonly Counted[], tallies: readonly StockTally[]): boolean {
  return tallies.every((tally, bucket) => {
    const mine = counted[bucket];
    if (mine === undefined || mine.journalId !== tally.lastJournalId) return true;
    return mine.reservations === tally.reservations && mine.availableUnits === tally.availableUnits;
  });
}

/**
 * Whether the ledger counts other units as sold than Redis can account for. A hold becomes a row before it is
 * committed, and a return leaves the counter before it leaves Redis: so what was sold `before` the buckets were counted
 * is committed or held there, and what is committed there was sold, or is on its way back, `after` that. A late hold,
 * which is a row before Redis knows it, and a return in between may look otherwise for a moment.
 */
export function isSoldOff(
  before: { soldUnits: number },
  tallies: readonly StockTally[],
  after: { soldUnits: number; returningUnits: number },
  unsoldUnits: number,
): boolean {
  let [heldUnits, committedUnits] = [0, 0];
  for (const one of tallies) {
    heldUnits += one.heldUnits;
    committedUnits += one.committedUnits;
  }
  const raised = before.soldUnits + unsoldUnits > committedUnits + heldUnits;
  return raised || after.soldUnits + after.returningUnits + unsoldUnits < committedUnits;
}

/** What a full comparison leaves behind: a cursor from which the next rounds go on. */
export function cursorAfter(
  comparison: Comparison,
  o: {
    event: LedgerEvent;
    line: DueLine;
    mark: AuditMark | undefined;
    before: AuditCursor | undefined;
    /** What each bucket's total must be. */
    totals: readonly number[];
  },
): AuditCursor {
  const { event, line, mark, before, totals } = o;
  const { ledger, redis, findings } = comparison;
  const same = before?.generation === event.generation ? before : undefined;
  const wrong = findings.flatMap(({ number, id }): Wrong[] => {
    if (id === undefined || number === 'oversold' || number === 'undersold') return [];
    const { bucket, journalId } = comparison.placeOf(id) ?? { bucket: 0 };
    return [{ number, id, bucket, ...(journalId === undefined ? {} : { journalId }) }];
  });
  const orders = [...ledger.orders.values()];
  const late = redis.late.filter((place) => isBehind(line, place) && !isAudited(comparison, place)).length;
  return {
    eventId: event.eventId,
    version: ledger.cursor?.version ?? 0,
    generation: event.generation,
    journalIds: [...line.journalIds],
    lastSeq: line.lastSeq,
    state: {
      told: toldUpTo(comparison, line),
      lateCommits: (ledger.cursor?.state.lateCommits ?? 0) + late,
      rows: orders.filter(({ seq }) => seq <= line.lastSeq).length,
      changedMs: mark?.databaseMs ?? same?.state.changedMs ?? 0,
      counted: redis.stocks.map((tally, bucket): Counted => {
        const { lastJournalId: journalId, reservations, availableUnits } = tally;
        return { journalId, reservations, availableUnits, totalUnits: totals[bucket] ?? tally.totalUnits };
      }),
      ...listed(wrong),
      unsoldUnits: comparison.unsoldUnits,
      soldDrift: comparison.soldUnitsOff,
      hiddenDrift: comparison.hiddenUnits ?? same?.state.hiddenDrift ?? 0,
    },
  };
}

/** From which entry on each journal is kept, so that all who read it find what they need. */
export function firstToKeep(
  refs: readonly StockRef[],
  o: { auditedIds: readonly string[]; state: Pick<AuditState, 'wrong' | 'more'>; youngerThanId: string },
): string[] {
  const { wrong, more } = o.state;
  // Where those stand that the list has no room for, nobody knows.
  if ((more.broken ?? 0) > 0) return refs.map(() => '0-0');
  return refs.map(({ bucket }) => {
    let first = earlierJournalId(o.auditedIds[bucket] ?? '0-0', o.youngerThanId);
    for (const one of wrong) {
      // The relay may still bring it, if it finds it there.
      if (one.bucket === bucket && one.number === 'broken' && one.journalId !== undefined)
        first = earlierJournalId(first, one.journalId);
    }
    return first;
  });
}
