import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerBooks } from '../../ledger/audit.ts';
import type { Accuracy, Finding } from '../../services/domain/accounting.ts';
import type { OrderState } from '../../services/domain/order.ts';
import type { Admin } from '../../services/kit/kafka/port.ts';
import { type CompareDeps, type Comparison, compareAll } from './audit-compare.ts';
import { type AuditMark, type DueDeps, type DueLine, hasPassed, isBehind, takeMark } from './audit-due.ts';
import {
  AUDIT_FINDINGS_MAX,
  AUDIT_OFFSETS_POLL_MS,
  AUDIT_OFFSETS_WAIT_MS,
  AUDIT_SETTLED_WAIT_MS,
} from './audit-limits.ts';
import { stockRefs } from './audit-readings.ts';

export interface AuditDeps extends CompareDeps {
  kafka: Admin;
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
    /** Holds that the journal records, or recorded before it was trimmed. */
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
  /** The last order that was compared; 0: there was none. */
  lastSeq: number;
}

/** Nothing stands behind it. */
const NOTHING_DUE: DueLine = { journalIds: [], lastSeq: 0 };

/**
 * The full audit, for the settlement and for people: compares Redis with the ledger by id, as DESIGN.md §8 has it. An
 * entry is due when the relay had acknowledged it, and the consumers have reached the end that Kafka's partitions had
 * after that. So a running sale's lag is never an error, and without the consumers nothing is due but what the
 * continuous audit has behind it. Throws SECKILL_ERR_NOT_READY when there is nothing to compare: the caller asks again.
 */
export async function auditEvent(deps: AuditDeps, options: AuditOptions): Promise<AuditReport> {
  const { event } = deps;
  const refs = stockRefs(event);
  const mark = await takeMark(deps, event);
  const passed = await passedInTime(deps, mark, options);
  const comparison = await compareAll(deps, refs, options.settled ? 'all' : passed ? mark.line : NOTHING_DUE);
  const { accuracy, findings, redis, ledger } = comparison;

  const orders = countStates(ledger);
  const lateCommits = redis.late.filter((place) => !isAudited(comparison, place)).length;
  const told = toldUpTo(comparison, 'all');
  const arrived = passed ? toldUpTo(comparison, mark.line) : toldUpTo(comparison, NOTHING_DUE);
  return {
    accuracy,
    counts: {
      told,
      due: options.settled ? told : arrived,
      orders,
      voided: orders.VOIDED ?? 0,
      lateCommits: lateCommits + (ledger.cursor?.state.lateCommits ?? 0),
      rebuilds: ledger.event.rebuilds,
    },
    complete: passed && arrived === told,
    findings: findings.slice(0, AUDIT_FINDINGS_MAX),
    lastSeq: ledger.lastSeq,
  };
}

/** How many holds were told up to a line: those that the cursor has counted, and what the journal says behind it. */
export function toldUpTo(comparison: Comparison, line: DueLine | 'all'): number {
  const { redis, ledger } = comparison;
  let told = ledger.cursor?.state.told ?? 0;
  for (const id of redis.told) {
    const place = redis.journaled.get(id);
    if (place === undefined || isAudited(comparison, place)) continue;
    if (line === 'all' || isBehind(line, place)) told += 1;
  }
  return told;
}

/** Whether the continuous audit has this entry behind it, and has counted it. */
export function isAudited({ ledger }: Comparison, place: { bucket: number; journalId: string }): boolean {
  return ledger.cursor !== undefined && isBehind(ledger.cursor, place);
}

/** Whether the consumers reach, in time, the end that every partition has at the mark. */
async function passedInTime(deps: DueDeps, mark: AuditMark, { settled, waitMs }: AuditOptions): Promise<boolean> {
  // What is settled is due in any case: the consumers only tell whether it needed the word of the settlement.
  const untilMs = performance.now() + (waitMs ?? (settled ? AUDIT_SETTLED_WAIT_MS : AUDIT_OFFSETS_WAIT_MS));
  for (;;) {
    if (await hasPassed(deps, mark)) return true;
    if (performance.now() >= untilMs) return false;
    await delay(AUDIT_OFFSETS_POLL_MS);
  }
}

function countStates({ orders }: LedgerBooks): Partial<Record<OrderState, number>> {
  const counts: Partial<Record<OrderState, number>> = {};
  for (const { state } of orders.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
