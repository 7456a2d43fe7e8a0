import { expect } from 'vitest';
import type { LoadResult } from '../../../cli/load/result.ts';
import { type ComparedOrder, type Comparison, compareWinners } from '../../../cli/report/compare.ts';
import { findingSentence } from '../../../cli/report/judge-sale.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import { PAGE_MAX_ROWS } from '../../../ledger/limits.ts';
import type { SeckillEventStatus } from '../../../operator/api/status.ts';
import { type AuditReport, auditEvent } from '../../../operator/effects/audit.ts';
import { ACCURATE, type Accuracy } from '../../../services/domain/accounting.ts';
import { isLive, type OrderState } from '../../../services/domain/order.ts';
import type { Sale } from './sale.ts';
import { type Stand, withPlatform } from './stand.ts';

/** What both sides say of a settled sale. */
export interface Judgement {
  /** As an audit finds them now, and as they were settled. */
  accuracy: Accuracy;
  settled: Accuracy | undefined;
  counts: AuditReport['counts'];
  findings: string[];
  /** Winners that the buyers' side wrote down against the orders, those apart that the test itself cancelled. */
  comparison: Comparison;
  cancelled: (OrderState | undefined)[];
  /** Units of live orders. */
  liveUnits: number;
  totalUnits: number;
  answers: LoadResult['answers'];
  reasons: Record<string, number>;
}

export async function judge(
  stand: Stand,
  sale: Sale,
  o: { loads: readonly LoadResult[]; cancelled: readonly string[]; settled: SeckillEventStatus },
): Promise<Judgement> {
  return withPlatform(stand, async (platform) => {
    const event = await platform.ledger.events.get(sale.eventId);
    if (event === undefined) throw new Error(`the ledger does not know ${sale.eventId}`);
    const audit = await auditEvent({ ...platform, event }, { settled: true });
    const orders = await readOrders(platform.ledger, sale.eventId);
    const byId = new Map(orders.map((order) => [order.id, order]));
    const cancelled = new Set(o.cancelled);
    const winners = o.loads
      .flatMap((load) => load.winners)
      .filter(({ reservationId }) => !cancelled.has(reservationId));
    const unknown = o.loads.flatMap((load) => load.unknownBuyers);
    return {
      accuracy: audit.accuracy,
      settled: o.settled.accuracy,
      counts: audit.counts,
      findings: audit.findings.map(findingSentence),
      comparison: compareWinners(winners, unknown, orders),
      cancelled: o.cancelled.map((id) => byId.get(id)?.state),
      liveUnits: orders.reduce((sum, { state, units }) => sum + (isLive(state) ? units : 0), 0),
      totalUnits: event.totalUnits,
      answers: sumOf(o.loads.map(({ answers }) => answers)) as LoadResult['answers'],
      reasons: sumOf(o.loads.map(({ reasons }) => reasons)),
    };
  });
}

async function readOrders(ledger: Ledger, eventId: string): Promise<ComparedOrder[]> {
  const orders: ComparedOrder[] = [];
  for (let after = 0; ; ) {
    const page = await ledger.orders.page(eventId, after, PAGE_MAX_ROWS);
    orders.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_MAX_ROWS) return orders;
    after = last.seq;
  }
}

function sumOf(counts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const count of counts) for (const [name, value] of Object.entries(count)) all[name] = (all[name] ?? 0) + value;
  return all;
}

/** Nothing was lost: each winner has his order and nobody else has one, and the six numbers are zero. */
export function expectExact(judgement: Judgement): void {
  expect(judgement).toMatchObject({
    accuracy: ACCURATE,
    settled: ACCURATE,
    findings: [],
    comparison: { missing: 0, mismatched: 0, strangers: 0, exact: true, findings: [] },
  });
  expect(judgement.cancelled.filter((state) => state !== 'CANCELLED')).toEqual([]);
  expect(judgement.liveUnits).toBeLessThanOrEqual(judgement.totalUnits);
}

/** And more was asked for than there was: all of it is sold. */
export function expectSoldOut(judgement: Judgement, units: number = judgement.totalUnits): void {
  expectExact(judgement);
  const { liveUnits, totalUnits, answers, reasons } = judgement;
  expect({ liveUnits, totalUnits, answers, reasons }).toMatchObject({ liveUnits: units, totalUnits: units });
}

/** Redis lost what it had: some who were told may have nothing, but nothing is sold twice or to nobody. */
export function expectNothingOversold(judgement: Judgement): void {
  const { broken: _broken, ...others } = ACCURATE;
  expect(judgement).toMatchObject({
    accuracy: others,
    settled: others,
    comparison: { mismatched: 0, strangers: 0 },
  });
  expect(judgement.liveUnits).toBeLessThanOrEqual(judgement.totalUnits);
}
