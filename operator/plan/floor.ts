import { UPDATE_ANNOTATION, UPDATE_NOW } from '../api/annotations.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { Observed, SaleSight } from './observed.ts';
import { wishOf } from './wish.ts';

/**
 * The least number of pods, moved by the clock: none before T − max(preheat, prescale); `openReplicas` from
 * T − prescale to closing; `minReplicas` otherwise, until everything is settled.
 */
export function floorOf(nowMs: number, event: SeckillEvent, sale: SaleSight | undefined): number {
  const { schedule, scaling } = event.spec;
  const started = sale !== undefined && sale.state !== 'warming';
  if (sale?.state === 'settled') return 0;
  const wish = wishOf(event);
  const startMs = started ? sale.startMs : wish.startMs;
  const endMs = started ? sale.endMs : wish.endMs;
  const over = nowMs >= endMs || (started ? sale.closed : wish.closed);
  if (over) return started ? scaling.minReplicas : 0;
  if (nowMs < startMs - Math.max(schedule.preheatSeconds, schedule.prescaleSeconds) * 1_000) return 0;
  return nowMs < startMs - schedule.prescaleSeconds * 1_000 ? scaling.minReplicas : scaling.openReplicas;
}

/** From pre-scale to closing: the time in which pods that serve are left as they are. */
function isOnSale(nowMs: number, event: SeckillEvent, sale: SaleSight | undefined): boolean {
  const started = sale !== undefined && sale.state !== 'warming';
  if (sale?.state === 'settled') return false;
  const { startMs, endMs, closed } = started ? sale : wishOf(event);
  return !closed && nowMs >= startMs - event.spec.schedule.prescaleSeconds * 1_000 && nowMs < endMs;
}

/**
 * Whether pods may be replaced because the release has another template. A pool without a ready pod has nothing to
 * lose: what repairs it never waits.
 */
export function updatesOf(
  { nowMs, event, workload }: Pick<Observed, 'nowMs' | 'event' | 'workload'>,
  sale: SaleSight | undefined,
): 'now' | 'wait' {
  if (event.metadata.annotations[UPDATE_ANNOTATION] === UPDATE_NOW) return 'now';
  return (workload?.ready ?? 0) > 0 && isOnSale(nowMs, event, sale) ? 'wait' : 'now';
}

/** The next moments at which the clock alone changes something, in order. */
export function edgesOf(event: SeckillEvent, sale: SaleSight | undefined): number[] {
  const { schedule } = event.spec;
  const wish = wishOf(event);
  const preheated = sale !== undefined && sale.state !== 'warming';
  const startMs = preheated ? sale.startMs : wish.startMs;
  const endMs = preheated ? sale.endMs : wish.endMs;
  const edges = [startMs - schedule.preheatSeconds * 1_000, startMs - schedule.prescaleSeconds * 1_000, startMs, endMs];
  return edges.sort((a, b) => a - b);
}
