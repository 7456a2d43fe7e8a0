import { ABANDON_ANNOTATION, FINALIZER } from '../api/annotations.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { CheckReport } from '../api/status.ts';
import { mayArm } from './arming.ts';
import type { Stall } from './conditions.ts';
import { updatesOf } from './floor.ts';
import { DRAIN_SECONDS } from './limits.ts';
import type { EntrySight, Observed, ObservedObject, SaleSight } from './observed.ts';
import { blocksSale } from './ownership.ts';
import { isArmed, type PhaseAnswer, stockOf, troubleOf } from './phase.ts';
import type { Reason } from './reasons.ts';
import { acceptable, frozenDifferences, type Wish, wishOf } from './wish.ts';

/** How many pods serve an event, and when they may be replaced. */
export interface Scale {
  floor: number;
  ceiling: number;
  drainSeconds: number;
  cpuUtilization: number;
  updates: 'now' | 'wait';
}

/** One effect that brings the world nearer to the spec. Each is safe to do twice, and by two leaders at once. */
export type Action =
  | { kind: 'add-finalizer' }
  | { kind: 'remove-finalizer' }
  | ({ kind: 'scale' } & Scale)
  | { kind: 'remove-workload' }
  | { kind: 'open'; wish: Wish }
  | { kind: 'preheat'; wish: Wish }
  | { kind: 'recover'; sale: SaleSight; reason: Reason }
  | { kind: 'adjust'; sale: SaleSight; wish: Wish }
  | { kind: 'register'; sale: SaleSight }
  | { kind: 'arm'; sale: SaleSight }
  | { kind: 'settle'; sale: SaleSight }
  /** A window that passed before there was any stock leaves nothing but its row to end. */
  | { kind: 'settle-unsold'; sale: SaleSight; reason: Reason }
  | { kind: 'unregister'; edition: number }
  | { kind: 'remove-stock'; sale: SaleSight };

export function abandoned({ metadata }: Pick<SeckillEvent, 'metadata'>): boolean {
  return metadata.deletionMs !== undefined && metadata.annotations[ABANDON_ANNOTATION] === 'true';
}

/** Whether a deleted object may go: nothing of its sale is left to be done. */
function mayGo({ event, ledger, redis, workload }: ObservedObject, sale: SaleSight | undefined): boolean {
  if ((workload?.pods ?? 0) > 0) return false;
  // Given up is given up: no server that is away holds it back.
  if (abandoned(event)) return !redis.reachable || redis.entry === undefined;
  if (!ledger.reachable) return false;
  if (sale === undefined || sale.uid !== event.metadata.uid || sale.generation === 0) return true;
  if (sale.state !== 'settled') return false;
  // Nobody cleans Redis once the object is gone. Silence proves nothing; one that was lost answers, and has no keys.
  return redis.reachable && entryOf(redis, sale) === undefined && redis.stock === 'missing';
}

export function finalizerActions(observed: ObservedObject, sale: SaleSight | undefined): Action[] {
  const { metadata } = observed.event;
  const held = metadata.finalizers.includes(FINALIZER);
  if (metadata.deletionMs === undefined) return held ? [] : [{ kind: 'add-finalizer' }];
  return held && mayGo(observed, sale) ? [{ kind: 'remove-finalizer' }] : [];
}

export function workloadActions(observed: Observed, sale: SaleSight | undefined, floor: number): Action[] {
  const { event, ledger, workload } = observed;
  const removal: Action[] = workload === undefined ? [] : [{ kind: 'remove-workload' }];
  if (abandoned(event)) return removal;
  // What the ledger would say decides whether pods may go; without its word they stay.
  if (!ledger.reachable && workload !== undefined && floor === 0) return [];
  if (floor === 0 || (event.metadata.deletionMs !== undefined && !isUnsettled(sale))) return removal;
  const { maxReplicas, cpuUtilization } = event.spec.scaling;
  const scale = { floor, ceiling: Math.max(floor, maxReplicas), drainSeconds: DRAIN_SECONDS, cpuUtilization };
  return [{ kind: 'scale', ...scale, updates: updatesOf(observed, sale) }];
}

export function isUnsettled(sale: SaleSight | undefined): boolean {
  return sale !== undefined && sale.generation > 0 && sale.state !== 'settled';
}

export interface Decided {
  sale: SaleSight | undefined;
  mine: SaleSight | undefined;
  answer: PhaseAnswer;
  checks: readonly CheckReport[];
  stalls: readonly Stall[];
}

export function saleActions(observed: Observed, { sale, mine, answer, checks, stalls }: Decided): Action[] {
  const { event, ledger, redis, nowMs } = observed;
  if (abandoned(event)) return abandonActions(observed);
  if (!ledger.reachable) return [];
  if (sale !== undefined && mine === undefined && sale.state !== 'settled') return predecessorActions(observed, sale);
  if (stalls.some(({ reason }) => blocksSale(reason))) return [];
  if (mine?.state === 'settled') return settledActions(observed, mine);
  if (mine === undefined || mine.state === 'warming') return beforeStock(observed, mine, answer);
  if (mine.uid !== event.metadata.uid) return [{ kind: 'open', wish: wishOf(event) }];
  if (!redis.reachable) return [];
  if (mine.state === 'recovering' || answer.phase === 'Recovering') {
    return [{ kind: 'recover', sale: mine, reason: answer.reason }];
  }
  const { wish } = acceptable(event, mine, nowMs);
  const adjust = adjustActions(observed, mine, wish);
  if (adjust.length > 0) return adjust;
  const stock = stockOf(redis);
  const actions: Action[] = isRegistered(redis.entry, mine) ? [] : [{ kind: 'register', sale: mine }];
  if (answer.phase === 'Closing') return [...actions, { kind: 'settle', sale: mine }];
  if (!isArmed(mine, redis) && stock !== undefined && (mine.armed || mayArm(checks))) {
    actions.push({ kind: 'arm', sale: mine });
  }
  return actions;
}

/** Pods and relays forget it; whatever it sold stays. */
export function abandonActions({ redis }: ObservedObject): Action[] {
  return redis.reachable && redis.entry !== undefined ? [{ kind: 'unregister', edition: redis.entry.edition }] : [];
}

function beforeStock({ event, redis }: Observed, mine: SaleSight | undefined, answer: PhaseAnswer): Action[] {
  const wish = wishOf(event);
  if (answer.phase === 'Failed') {
    // A preheat was begun: its generation must be ended, or no later edition could begin.
    return isUnsettled(mine) && mine !== undefined
      ? [{ kind: 'settle-unsold', sale: mine, reason: answer.reason }]
      : [];
  }
  if (event.metadata.deletionMs !== undefined) return [];
  if (answer.phase === 'Scheduled') return isOpenAsWished(event, mine, wish) ? [] : [{ kind: 'open', wish }];
  return redis.reachable ? [{ kind: 'preheat', wish }] : [];
}

/** Opened early, so that tokens can be minted for the event before its preheat; rewritten when the spec changes. */
function isOpenAsWished(event: SeckillEvent, mine: SaleSight | undefined, wish: Wish): boolean {
  if (mine === undefined || mine.uid !== event.metadata.uid) return false;
  if (mine.generation > 0) return true;
  return (
    frozenDifferences(event, mine).length === 0 &&
    mine.targetUnits === wish.totalUnits &&
    mine.endMs === wish.endMs &&
    mine.paused === wish.paused &&
    mine.closed === wish.closed
  );
}

function adjustActions({ redis }: Observed, sale: SaleSight, wish: Wish): Action[] {
  const stock = stockOf(redis);
  if (stock === undefined) return [];
  const accepted =
    sale.targetUnits === wish.totalUnits &&
    sale.endMs === wish.endMs &&
    sale.paused === wish.paused &&
    sale.closed === wish.closed;
  const achieved = stock.revision === sale.revision && stock.totalUnits === sale.totalUnits;
  return accepted && achieved ? [] : [{ kind: 'adjust', sale, wish }];
}

/** The sale of an object that is gone, or says nothing that counts, is brought to its end by what the ledger knows. */
export function predecessorActions({ redis, nowMs }: ObservedObject, sale: SaleSight): Action[] {
  const over = sale.closed || nowMs >= sale.endMs;
  if (sale.state === 'warming') return over ? [{ kind: 'settle-unsold', sale, reason: 'WindowMissed' }] : [];
  if (!redis.reachable) return [];
  const trouble = sale.state === 'recovering' ? 'Rebuilding' : troubleOf(sale, redis);
  if (trouble !== undefined) return [{ kind: 'recover', sale, reason: trouble }];
  return over ? [{ kind: 'settle', sale }] : [];
}

export function settledActions({ event, redis, workload }: ObservedObject, sale: SaleSight): Action[] {
  if (!redis.reachable) return [];
  const actions: Action[] = [];
  if (entryOf(redis, sale) !== undefined) actions.push({ kind: 'unregister', edition: sale.edition });
  const deleted = event.metadata.deletionMs !== undefined;
  // Until then the stock stays where the audit can read it again.
  if (deleted && redis.stock !== 'missing' && (workload?.pods ?? 0) === 0) actions.push({ kind: 'remove-stock', sale });
  return actions;
}

function entryOf(redis: Observed['redis'], sale: SaleSight): EntrySight | undefined {
  return redis.reachable && redis.entry?.eventId === sale.eventId ? redis.entry : undefined;
}

function isRegistered(entry: EntrySight | undefined, sale: SaleSight): boolean {
  return (
    entry !== undefined &&
    entry.eventId === sale.eventId &&
    entry.generation === sale.generation &&
    entry.revision === sale.revision &&
    entry.endMs === sale.endMs &&
    entry.runs.length === sale.runs.length &&
    entry.runs.every((run, bucket) => run === sale.runs[bucket])
  );
}
