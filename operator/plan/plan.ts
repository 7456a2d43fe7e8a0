import type { SeckillEvent } from '../api/seckill-event.ts';
import type { SeckillEventStatus } from '../api/status.ts';
import { type Action, finalizerActions, saleActions, workloadActions } from './actions.ts';
import { runChecks } from './arming.ts';
import { conditionsOf, type Stall } from './conditions.ts';
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
  const blocked = stalls.find(({ reason }) => blocksSale(reason));
  const answer = blockedPhase(blocked) ?? phaseOf({ nowMs, event, ledger, sale: mine, redis });
  const stock = stockOf(redis);
  const checkable = mine !== undefined && mine.state === 'warmed' && facts !== undefined;
  // Where nothing was asked the last report stays: it tells people why the sale was let go.
  const checks = checkable ? runChecks({ event, sale: mine, stock, workload, facts }) : (event.status?.checks ?? []);
  const wanted = blocked === undefined ? floorOf(nowMs, event, mine) : 0;
  const actions = [
    ...finalizerActions(observed, sale),
    ...workloadActions(observed, mine, wanted),
    ...saleActions(observed, { sale, mine, answer, checks, stalls }),
  ];
  const seenStock = mine !== undefined && mine.generation === stock?.generation ? stock : undefined;
  const conditions = conditionsOf({ observed, sale: mine, stock: seenStock, answer, checks, stalls, wanted });
  const ready = workload?.ready ?? 0;
  const status = statusOf(observed, { mine, answer, checks, conditions, pods: { ready, wanted } });
  // A predecessor ends by its own clock, which the spec of its successor does not tell.
  const waits = blocked?.reason === 'PredecessorUnsettled';
  const requeueAtMs = waits ? nowMs + ACTIVE_INTERVAL_MS : requeueAt(observed, mine, answer);
  return { actions, status, requeueAtMs };
}

/** The phase of a sale that may not begin: it waits for its predecessor, or was over before it came. */
function blockedPhase(blocked: Stall | undefined): PhaseAnswer | undefined {
  if (blocked === undefined) return undefined;
  return { phase: blocked.reason === 'AlreadySettled' ? 'Failed' : 'Scheduled', reason: blocked.reason };
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
