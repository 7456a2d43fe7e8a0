import type { SeckillEvent, SeckillEventStatus } from '../api/seckill-event.ts';
import { type Action, finalizerActions, saleActions, workloadActions } from './actions.ts';
import { runChecks } from './arming.ts';
import { conditionsOf } from './conditions.ts';
import { edgesOf, floorOf } from './floor.ts';
import { ACTIVE_INTERVAL_MS, BUSY_INTERVAL_MS, CALM_INTERVAL_MS, OVER_INTERVAL_MS } from './limits.ts';
import type { Observed, SaleSight } from './observed.ts';
import { blocksSale, ownership } from './ownership.ts';
import { type PhaseAnswer, phaseOf, stockOf } from './phase.ts';
import { statusOf } from './status.ts';

export interface Plan {
  actions: Action[];
  status: SeckillEventStatus;
  /** When to look again, in the time of `observed.nowMs`. */
  requeueAtMs: number;
}

/** Decides everything about one event from what was observed. Pure: no clock, no I/O, no memory. */
export function plan(observed: Observed): Plan {
  const { event, nowMs, ledger, redis, workload, facts } = observed;
  const { sale, mine, stalls: owned } = ownership(observed);
  const { hindrance } = observed;
  const inUse =
    hindrance?.reason === 'StockInUse' ? [{ reason: 'StockInUse' as const, message: hindrance.message }] : [];
  const stalls = [...owned, ...inUse];
  const answer = phaseOf({ nowMs, event, ledger, sale: mine, redis });
  const stock = stockOf(redis);
  const checkable = mine !== undefined && mine.state === 'warmed' && facts !== undefined;
  // Where nothing was asked the last report stays: it tells people why the sale was let go.
  const checks = checkable ? runChecks({ event, sale: mine, stock, workload, facts }) : (event.status?.checks ?? []);
  const wanted = stalls.some(({ reason }) => blocksSale(reason)) ? 0 : floorOf(nowMs, event, mine);
  const actions = [
    ...finalizerActions(observed, sale),
    ...workloadActions(observed, mine, wanted),
    ...saleActions(observed, { sale, mine, answer, checks, stalls }),
  ];
  const seenStock = mine !== undefined && mine.generation === stock?.generation ? stock : undefined;
  const conditions = conditionsOf({ observed, sale: mine, stock: seenStock, answer, checks, stalls, wanted });
  const ready = workload?.ready ?? 0;
  const status = statusOf(observed, { mine, answer, checks, conditions, pods: { ready, wanted } });
  return { actions, status, requeueAtMs: requeueAt(observed, mine, answer) };
}

function requeueAt({ event, nowMs }: Observed, mine: SaleSight | undefined, { phase }: PhaseAnswer): number {
  const next = edgesOf(event, mine).find((edge) => edge > nowMs) ?? Number.POSITIVE_INFINITY;
  return Math.min(next, nowMs + intervalOf(event, phase));
}

function intervalOf({ metadata }: SeckillEvent, phase: PhaseAnswer['phase']): number {
  if (metadata.deletionMs !== undefined) return BUSY_INTERVAL_MS;
  switch (phase) {
    case 'Scheduled':
      return CALM_INTERVAL_MS;
    case 'Recovering':
    case 'Closing':
      return BUSY_INTERVAL_MS;
    // Pods that become ready wake the event up by themselves.
    case 'Preheating':
    case 'Armed':
    case 'Open':
    case 'Paused':
    case 'SoldOut':
      return ACTIVE_INTERVAL_MS;
    case 'Settled':
    case 'Failed':
      return OVER_INTERVAL_MS;
  }
}
