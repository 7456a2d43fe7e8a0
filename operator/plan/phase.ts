import type { SeckillEvent } from '../api/seckill-event.ts';
import type { Phase } from '../api/status.ts';
import type { LedgerSight, RedisSight, SaleSight, StockSight } from './observed.ts';
import type { Reason } from './reasons.ts';
import { wishOf } from './wish.ts';

export interface PhaseInput {
  nowMs: number;
  event: SeckillEvent;
  ledger: LedgerSight;
  /** The edition that this object sells from, when there is one. */
  sale: SaleSight | undefined;
  redis: RedisSight;
}

export interface PhaseAnswer {
  phase: Phase;
  reason: Reason;
}

/** Why live stock that the ledger calls warmed must be rebuilt, or `undefined` when it is well or cannot be seen. */
export function troubleOf(sale: SaleSight, redis: RedisSight): Reason | undefined {
  if (sale.state !== 'warmed' || !redis.reachable) return undefined;
  if (sale.runs[0] !== redis.run) return 'RunChanged';
  if (redis.stock === 'missing') return 'KeysMissing';
  if (redis.stock === 'unread') return undefined;
  if (redis.stock.generation !== sale.generation || redis.stock.mode === 'recovering') return 'GenerationDiffers';
  return redis.stock.lawHolds ? undefined : 'LawBroken';
}

export function stockOf(redis: RedisSight): StockSight | undefined {
  return redis.reachable && typeof redis.stock === 'object' ? redis.stock : undefined;
}

/** Armed is what the ledger says and Redis does; until Redis is told, the sale would not open. */
export function isArmed(sale: SaleSight, redis: RedisSight): boolean {
  return sale.armed && stockOf(redis)?.mode !== 'unarmed';
}

/**
 * The phase of an event: a total function of the clock, the spec, the stock and the ledger. It is never read back from
 * the status, so that a lost or edited status changes nothing.
 */
export function phaseOf({ nowMs, event, ledger, sale, redis }: PhaseInput): PhaseAnswer {
  if (sale === undefined || sale.state === 'warming') return beforeStock(nowMs, event, ledger, sale);
  if (sale.state === 'settled') {
    return sale.armed ? { phase: 'Settled', reason: 'AllSettled' } : { phase: 'Failed', reason: 'NeverArmed' };
  }
  if (sale.state === 'recovering') return { phase: 'Recovering', reason: 'Rebuilding' };
  const trouble = troubleOf(sale, redis);
  if (trouble !== undefined) return { phase: 'Recovering', reason: trouble };
  if (event.metadata.deletionMs !== undefined) return { phase: 'Closing', reason: 'Deleted' };
  if (sale.closed) return { phase: 'Closing', reason: 'ClosedBySpec' };
  if (nowMs >= sale.endMs) return { phase: 'Closing', reason: 'WindowEnded' };
  if (!isArmed(sale, redis)) {
    if (event.metadata.createdMs > sale.startMs) return { phase: 'Preheating', reason: 'LateStart' };
    return { phase: 'Preheating', reason: 'ChecksFailing' };
  }
  if (nowMs < sale.startMs) return { phase: 'Armed', reason: 'ArmedByClock' };
  if (sale.paused) return { phase: 'Paused', reason: 'PausedBySpec' };
  if (stockOf(redis)?.availableUnits === 0) return { phase: 'SoldOut', reason: 'NoUnitsLeft' };
  return { phase: 'Open', reason: event.metadata.createdMs > sale.startMs ? 'LateStart' : 'WindowOpen' };
}

/** Before anything can have been sold, the spec alone counts. */
function beforeStock(
  nowMs: number,
  event: SeckillEvent,
  ledger: LedgerSight,
  sale: SaleSight | undefined,
): PhaseAnswer {
  const { startMs, endMs, closed } = wishOf(event);
  const blind = !ledger.reachable;
  const preheatMs = startMs - event.spec.schedule.preheatSeconds * 1_000;
  if (nowMs >= endMs) {
    return blind ? { phase: 'Closing', reason: 'LedgerUnreachable' } : { phase: 'Failed', reason: 'WindowMissed' };
  }
  if (sale?.closed === true || closed) {
    return blind
      ? { phase: 'Closing', reason: 'LedgerUnreachable' }
      : { phase: 'Failed', reason: 'ClosedBeforeOpening' };
  }
  if (nowMs < preheatMs) return { phase: 'Scheduled', reason: 'Waiting' };
  if (blind) return { phase: 'Preheating', reason: 'LedgerUnreachable' };
  return { phase: 'Preheating', reason: event.metadata.createdMs > startMs ? 'LateStart' : 'Preheating' };
}
