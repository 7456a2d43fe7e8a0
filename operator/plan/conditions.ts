import type { Accuracy } from '../../services/domain/accounting.ts';
import type { CheckReport, Condition, Phase } from '../api/status.ts';
import { mayArm } from './arming.ts';
import { updatesOf } from './floor.ts';
import type { Observed, SaleSight, StockSight } from './observed.ts';
import { isArmed, type PhaseAnswer } from './phase.ts';
import { REASONS, type Reason } from './reasons.ts';

/** Why a person has to do something before the event follows its spec. */
export interface Stall {
  reason: Reason;
  message: string;
}

export interface ConditionInput {
  observed: Observed;
  /** The edition that this object sells from. */
  sale: SaleSight | undefined;
  stock: StockSight | undefined;
  answer: PhaseAnswer;
  checks: readonly CheckReport[];
  stalls: readonly Stall[];
  wanted: number;
}

interface Judgement {
  type: string;
  status: Condition['status'];
  reason: Reason;
  /** What was seen; the reason's sentence when absent. */
  message?: string;
}

const BEFORE_ARMED: readonly Phase[] = ['Scheduled', 'Preheating', 'Failed'];

/** All conditions of an event, in the order in which people read them. Times come from the former ones. */
export function conditionsOf(input: ConditionInput): Condition[] {
  const { event, nowMs } = input.observed;
  const former = new Map((event.status?.conditions ?? []).map((condition) => [condition.type, condition]));
  const judgements = [
    ready(input),
    armed(input),
    accurate(input),
    pods(input),
    settled(input),
    stalled(input),
    degraded(input),
    updatePending(input),
  ];
  return judgements.map(({ type, status, reason, message }) => {
    const before = former.get(type);
    return {
      type,
      status,
      reason,
      message: message ?? REASONS[reason],
      observedGeneration: event.metadata.generation,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : new Date(nowMs).toISOString(),
    };
  });
}

/** True all week: accepted and on schedule. What is late, broken or stuck makes it false. */
function ready({ answer, stalls, observed, checks }: ConditionInput): Judgement {
  const type = 'Ready';
  const [stall] = stalls;
  if (stall !== undefined) return { type, status: 'False', ...stall };
  const { hindrance } = observed;
  if (answer.phase === 'Recovering' && hindrance !== undefined) {
    return { type, status: 'False', reason: answer.reason, message: `${REASONS[answer.reason]} ${hindrance.message}` };
  }
  if (answer.phase === 'Failed' || answer.phase === 'Recovering')
    return { type, status: 'False', reason: answer.reason };
  const late = answer.phase === 'Preheating' && observed.nowMs >= Date.parse(observed.event.spec.schedule.startTime);
  if (late) return { type, status: 'False', reason: answer.reason, message: failing(checks) || REASONS[answer.reason] };
  if (!observed.ledger.reachable)
    return { type, status: 'Unknown', reason: 'LedgerUnreachable', message: observed.ledger.why };
  if (!observed.redis.reachable)
    return { type, status: 'Unknown', reason: 'RedisUnreachable', message: observed.redis.why };
  return { type, status: 'True', reason: 'Accepted' };
}

function armed({ answer, sale, observed, checks }: ConditionInput): Judgement {
  const type = 'Armed';
  if (sale?.state === 'settled' || answer.phase === 'Failed') return { type, status: 'False', reason: 'SaleOver' };
  if (sale !== undefined && sale.state !== 'warming' && isArmed(sale, observed.redis)) {
    return { type, status: 'True', reason: 'OnTime' };
  }
  if (answer.phase === 'Scheduled') return { type, status: 'False', reason: 'NotYet' };
  const problems = failing(checks);
  if (problems !== '') return { type, status: 'False', reason: 'ChecksFailing', message: problems };
  const { hindrance } = observed;
  if (hindrance !== undefined) return { type, status: 'False', reason: 'Preheating', message: hindrance.message };
  return { type, status: 'False', reason: mayArm(checks) ? 'Arming' : 'Preheating' };
}

function accurate({ observed, stock, answer }: ConditionInput): Judgement {
  const type = 'StockAccurate';
  const { accuracy } = observed;
  if (accuracy !== undefined) {
    const wrong = nonZero(accuracy);
    if (wrong === '') return { type, status: 'True', reason: 'AllZero' };
    return { type, status: 'False', reason: 'NumbersNotZero', message: wrong };
  }
  if (answer.phase === 'Recovering') return { type, status: 'Unknown', reason: answer.reason };
  if (BEFORE_ARMED.includes(answer.phase) && stock === undefined) return { type, status: 'Unknown', reason: 'NotYet' };
  if (stock === undefined) return { type, status: 'Unknown', reason: 'Unknown' };
  return stock.lawHolds ? { type, status: 'True', reason: 'LawHolds' } : { type, status: 'False', reason: 'LawBroken' };
}

function pods({ observed: { workload }, wanted }: ConditionInput): Judgement {
  const type = 'PodsReady';
  if (wanted === 0) return { type, status: 'False', reason: 'NoneWanted' };
  const ready = workload?.ready ?? 0;
  const message = [`${ready} of ${wanted} pods are ready`, ...(workload?.problems ?? [])].join('; ');
  return {
    type,
    status: ready >= wanted ? 'True' : 'False',
    reason: ready >= wanted ? 'FloorReached' : 'FloorNotReached',
    message,
  };
}

function settled({ sale, answer, observed }: ConditionInput): Judgement {
  const type = 'Settled';
  if (sale?.state === 'settled') return { type, status: 'True', reason: 'AllSettled' };
  if (answer.phase !== 'Closing') return { type, status: 'False', reason: 'NotYet' };
  const { hindrance } = observed;
  if (hindrance === undefined) return { type, status: 'False', reason: 'InProgress' };
  return { type, status: 'False', reason: 'PipelineNotDrained', message: hindrance.message };
}

function stalled({ stalls }: ConditionInput): Judgement {
  const [first] = stalls;
  if (first === undefined) return { type: 'Stalled', status: 'False', reason: 'NotStalled' };
  return {
    type: 'Stalled',
    status: 'True',
    reason: first.reason,
    message: stalls.map(({ message }) => message).join(' '),
  };
}

function degraded({ checks }: ConditionInput): Judgement {
  const failed = checks.filter(({ blocking, passed }) => !blocking && !passed);
  if (failed.length === 0) return { type: 'Degraded', status: 'False', reason: 'NotDegraded' };
  const message = failed.map(({ name, message: why }) => `${name}: ${why}`).join('; ');
  return { type: 'Degraded', status: 'True', reason: 'Degraded', message };
}

function updatePending({ observed, sale }: ConditionInput): Judgement {
  const type = 'UpdatePending';
  const waits = observed.workload?.updatePending === true && updatesOf(observed, sale) === 'wait';
  return waits ? { type, status: 'True', reason: 'UpdateWaits' } : { type, status: 'False', reason: 'NoUpdateWaits' };
}

/** The blocking checks that do not pass, each with its name. */
function failing(checks: readonly CheckReport[]): string {
  const failed = checks.filter(({ blocking, passed }) => blocking && !passed);
  return failed.map(({ name, message }) => `${name}: ${message}`).join('; ');
}

function nonZero(accuracy: Accuracy): string {
  return Object.entries(accuracy)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
