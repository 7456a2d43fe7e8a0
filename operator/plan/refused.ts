import type { RefusedEvent } from '../api/seckill-event.ts';
import type { Condition, SeckillEventStatus } from '../api/status.ts';
import {
  type Action,
  abandonActions,
  abandoned,
  finalizerActions,
  isUnsettled,
  predecessorActions,
  settledActions,
} from './actions.ts';
import { ACTIVE_INTERVAL_MS, OVER_INTERVAL_MS } from './limits.ts';
import type { ObservedObject, SaleSight } from './observed.ts';
import { REASONS } from './reasons.ts';
import { cut } from './status.ts';

export interface RefusedPlan {
  actions: Action[];
  /** `undefined`: there was none, and nothing is known that would make one. */
  status: SeckillEventStatus | undefined;
  requeueAtMs: number;
}

/**
 * Decides about an event whose spec another release let through and this one does not accept. A sale that has begun
 * needs no spec: it goes on as it was preheated, is rebuilt, settled or given up by what the ledger says of it, and its
 * pods stay as they are until then. Nothing is begun.
 */
export function planRefused(event: RefusedEvent, seen: Omit<ObservedObject, 'event'>): RefusedPlan {
  const observed: ObservedObject = { ...seen, event };
  const { ledger, workload, nowMs } = observed;
  const sale = ledger.reachable ? ledger.sale : undefined;
  const deleted = event.metadata.deletionMs !== undefined;
  const needed = (!ledger.reachable || isUnsettled(sale)) && !abandoned(event);
  const actions: Action[] = [
    ...(deleted ? finalizerActions(observed, sale) : []),
    ...(needed || workload === undefined ? [] : [{ kind: 'remove-workload' } as const]),
    ...(abandoned(event) ? abandonActions(observed) : saleActions(observed, sale)),
  ];
  const requeueAtMs = nowMs + (deleted || isUnsettled(sale) ? ACTIVE_INTERVAL_MS : OVER_INTERVAL_MS);
  return { actions, status: statusOf(event, sale, nowMs), requeueAtMs };
}

function saleActions(observed: ObservedObject, sale: SaleSight | undefined): Action[] {
  const { event, redis } = observed;
  if (sale === undefined || sale.generation === 0) return [];
  const own = sale.uid === event.metadata.uid;
  if (sale.state === 'settled') return own ? settledActions(observed, sale) : [];
  const ended = own && event.metadata.deletionMs !== undefined;
  if (!ended || sale.closed) return predecessorActions(observed, sale);
  if (sale.state === 'warming') return [{ kind: 'settle-unsold', sale, reason: 'Deleted' }];
  const repair = predecessorActions(observed, sale).filter(({ kind }) => kind === 'recover');
  if (repair.length > 0 || !redis.reachable) return repair;
  const { startMs, endMs, targetUnits: totalUnits, paused } = sale;
  return [{ kind: 'adjust', sale, wish: { startMs, endMs, totalUnits, paused, closed: true } }];
}

/** The last status that was known, with what is wrong; and the end of its sale, for which people wait. */
function statusOf(
  { metadata, status, problems }: RefusedEvent,
  sale: SaleSight | undefined,
  nowMs: number,
): SeckillEventStatus | undefined {
  if (status === undefined) return undefined;
  const settled = sale?.uid === metadata.uid && sale.state === 'settled';
  const wrong = { reason: 'SpecInvalid', message: `${REASONS.SpecInvalid} ${problems.join(' ')}` };
  const said: Record<string, Pick<Condition, 'status' | 'reason' | 'message'>> = {
    Ready: { status: 'False', ...wrong },
    Stalled: { status: 'True', ...wrong },
    ...(settled ? { Settled: { status: 'True', reason: 'AllSettled', message: REASONS.AllSettled } } : {}),
  };
  const conditions = status.conditions.map((former): Condition => {
    const now = said[former.type];
    if (now === undefined) return former;
    const { observedGeneration } = former;
    const lastTransitionTime = now.status === former.status ? former.lastTransitionTime : new Date(nowMs).toISOString();
    return cut({ type: former.type, ...now, observedGeneration, lastTransitionTime });
  });
  if (!settled) return { ...status, conditions };
  const ended = sale.armed
    ? ({ phase: 'Settled', reason: 'AllSettled' } as const)
    : ({ phase: 'Failed', reason: 'NeverArmed' } as const);
  return { ...status, ...ended, message: REASONS[ended.reason], conditions };
}
