import type { SeckillEvent } from '../api/seckill-event.ts';
import type { SaleSight } from './observed.ts';
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
