import { isDeepStrictEqual } from 'node:util';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { SaleSight } from './observed.ts';

/** What the spec says, in the ledger's terms. */
export interface Wish {
  startMs: number;
  endMs: number;
  totalUnits: number;
  paused: boolean;
  closed: boolean;
}

/** Why a part of the spec is not followed. */
export interface Refusal {
  reason: 'FrozenFieldChanged' | 'EndNotMoved';
  message: string;
}

export function wishOf({ metadata, spec }: SeckillEvent): Wish {
  return {
    startMs: Date.parse(spec.schedule.startTime),
    endMs: Date.parse(spec.schedule.endTime),
    totalUnits: spec.stock.totalUnits,
    paused: spec.paused,
    closed: spec.closed || metadata.deletionMs !== undefined,
  };
}

/** The frozen fields in which the spec differs from the preheat snapshot, by their paths. */
export function frozenDifferences({ spec }: SeckillEvent, sale: SaleSight): string[] {
  const differences: string[] = [];
  const fields = new Set([...Object.keys(spec.product), ...Object.keys(sale.product)]);
  for (const field of [...fields].sort()) {
    const wanted = (spec.product as Record<string, unknown>)[field];
    const kept = (sale.product as unknown as Record<string, unknown>)[field];
    if (!isDeepStrictEqual(wanted, kept)) differences.push(`spec.product.${field}`);
  }
  if (spec.stock.buckets !== sale.buckets) differences.push('spec.stock.buckets');
  if (spec.limits.unitsPerBuyer !== sale.unitsPerBuyer) differences.push('spec.limits.unitsPerBuyer');
  if (Date.parse(spec.schedule.startTime) !== sale.startMs) differences.push('spec.schedule.startTime');
  return differences;
}

/**
 * What of the spec a sale that is preheated can still follow, and what it refuses. The end may move to a later time
 * until it has passed; closed is one way.
 */
export function acceptable(event: SeckillEvent, sale: SaleSight, nowMs: number): { wish: Wish; refusals: Refusal[] } {
  const asked = wishOf(event);
  const refusals: Refusal[] = [];
  const frozen = frozenDifferences(event, sale);
  if (frozen.length > 0) {
    const remedy = 'Put the former value back, or delete the event and apply it anew after it is settled.';
    refusals.push({ reason: 'FrozenFieldChanged', message: `${frozen.join(', ')} cannot change any more. ${remedy}` });
  }
  const over = sale.closed || nowMs >= sale.endMs;
  const endRefused = asked.endMs < sale.endMs || (over && asked.endMs !== sale.endMs);
  if (endRefused) {
    const kept = new Date(sale.endMs).toISOString();
    const remedy = over ? 'The sale is over.' : 'To end it earlier, set spec.closed to true.';
    refusals.push({ reason: 'EndNotMoved', message: `spec.schedule.endTime stays ${kept}. ${remedy}` });
  }
  const wish: Wish = {
    startMs: sale.startMs,
    endMs: endRefused ? sale.endMs : asked.endMs,
    totalUnits: asked.totalUnits,
    paused: asked.paused,
    closed: sale.closed || asked.closed,
  };
  return { wish, refusals };
}
