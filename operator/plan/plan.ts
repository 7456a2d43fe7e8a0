import { ABANDON_ANNOTATION, FINALIZER } from '../api/annotations.ts';
import type { CheckReport, SeckillEvent, SeckillEventStatus } from '../api/seckill-event.ts';
import { mayArm, runChecks } from './arming.ts';
import { conditionsOf, type Stall } from './conditions.ts';
import { edgesOf, floorOf } from './floor.ts';
import { ACTIVE_INTERVAL_MS, BUSY_INTERVAL_MS, CALM_INTERVAL_MS, DRAIN_SECONDS, OVER_INTERVAL_MS } from './limits.ts';
import type { EntrySight, Observed, SaleSight } from './observed.ts';
import { isArmed, type PhaseAnswer, phaseOf, stockOf, troubleOf } from './phase.ts';
import { REASONS, type Reason } from './reasons.ts';
import { acceptable, frozenDifferences, type Wish, wishOf } from './wish.ts';

/** One effect that brings the world nearer to the spec. Each is safe to do twice, and by two leaders at once. */
export type Action =
  | { kind: 'add-finalizer' }
  | { kind: 'remove-finalizer' }
  | { kind: 'scale'; floor: number; ceiling: number; drainSeconds: number }
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
  | { kind: 'unregister'; sale: SaleSight }
  | { kind: 'remove-stock'; sale: SaleSight };

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
  // After arming the last report stays: it tells people why the sale was let go.
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

interface Ownership {
  /** The latest edition of this name, whoever it belongs to. */
  sale: SaleSight | undefined;
  /** The edition that this object sells from. */
  mine: SaleSight | undefined;
  stalls: Stall[];
}

/**
 * The ledger gives editions. An object that was made anew goes on with the unsettled sale of its name when the frozen
 * fields are the same; otherwise it waits. A sale that was settled under a former object is not sold a second time:
 * only another start makes it another sale.
 */
function ownership(observed: Observed): Ownership {
  const { event, ledger, nowMs } = observed;
  if (!ledger.reachable) return { sale: undefined, mine: sightWithoutLedger(observed), stalls: [] };
  const { sale } = ledger;
  if (sale === undefined) return { sale, mine: undefined, stalls: [] };
  const own = sale.uid === event.metadata.uid;
  if (!own && sale.state === 'settled') {
    const again = sale.startMs === wishOf(event).startMs && sale.armed;
    const message = `${REASONS.AlreadySettled} To sell again, give it another startTime.`;
    return { sale, mine: undefined, stalls: again ? [{ reason: 'AlreadySettled', message }] : [] };
  }
  if (own || sale.generation === 0) {
    const frozen = sale.generation > 0 && sale.state !== 'settled';
    return {
      sale,
      mine: sale,
      stalls: frozen ? acceptable(event, sale, nowMs).refusals : settledRefusals(event, sale),
    };
  }
  const differences = frozenDifferences(event, sale);
  if (differences.length === 0) return { sale, mine: sale, stalls: acceptable(event, sale, nowMs).refusals };
  const remedy = `It differs in ${differences.join(', ')}. Wait for its settlement, or apply it with those fields.`;
  return {
    sale,
    mine: undefined,
    stalls: [{ reason: 'PredecessorUnsettled', message: `${REASONS.PredecessorUnsettled} ${remedy}` }],
  };
}

/** What Redis alone tells of a sale, for the status only: nothing is done without the ledger. */
function sightWithoutLedger({ event, redis }: Observed): SaleSight | undefined {
  const stock = stockOf(redis);
  const entry = redis.reachable ? redis.entry : undefined;
  if (stock === undefined || entry === undefined) return undefined;
  const { metadata, spec, status } = event;
  return {
    ...{ eventId: entry.eventId, namespace: metadata.namespace, name: metadata.name, edition: entry.edition },
    ...{ uid: metadata.uid, state: stock.mode === 'recovering' ? 'recovering' : 'warmed' },
    ...{ generation: stock.generation, revision: stock.revision, runs: entry.runs, armed: stock.mode !== 'unarmed' },
    ...{ product: spec.product, buckets: spec.stock.buckets, unitsPerBuyer: spec.limits.unitsPerBuyer },
    ...{ startMs: entry.startMs, endMs: stock.endMs, paused: stock.mode === 'paused', closed: stock.closed },
    ...{ totalUnits: stock.totalUnits, targetUnits: stock.totalUnits, soldUnits: status?.stock?.sold ?? 0 },
  };
}

function settledRefusals(event: SeckillEvent, sale: SaleSight): Stall[] {
  if (sale.state !== 'settled') return [];
  const differences = frozenDifferences(event, sale);
  if (differences.length === 0) return [];
  const remedy = 'The sale is settled: delete the event and apply it anew to sell again.';
  return [{ reason: 'FrozenFieldChanged', message: `${differences.join(', ')} cannot change any more. ${remedy}` }];
}

function blocksSale(reason: Reason): boolean {
  return reason === 'PredecessorUnsettled' || reason === 'AlreadySettled';
}

function abandoned({ metadata }: SeckillEvent): boolean {
  return metadata.deletionMs !== undefined && metadata.annotations[ABANDON_ANNOTATION] === 'true';
}

/** Whether a deleted object may go: nothing of its sale is left to be done. */
function mayGo({ event, ledger, redis, workload }: Observed, sale: SaleSight | undefined): boolean {
  if ((workload?.pods ?? 0) > 0) return false;
  if (abandoned(event)) return true;
  if (!ledger.reachable) return false;
  if (sale === undefined || sale.uid !== event.metadata.uid || sale.generation === 0) return true;
  if (sale.state !== 'settled') return false;
  // Redis is cleaned before the object goes; one that is lost has nothing to clean.
  return !redis.reachable || (entryOf(redis, sale) === undefined && redis.stock === 'missing');
}

function finalizerActions(observed: Observed, sale: SaleSight | undefined): Action[] {
  const { metadata } = observed.event;
  const held = metadata.finalizers.includes(FINALIZER);
  if (metadata.deletionMs === undefined) return held ? [] : [{ kind: 'add-finalizer' }];
  return held && mayGo(observed, sale) ? [{ kind: 'remove-finalizer' }] : [];
}

function workloadActions({ event, ledger, workload }: Observed, sale: SaleSight | undefined, floor: number): Action[] {
  // What the ledger would say decides whether pods may go; without its word they stay.
  if (!ledger.reachable && workload !== undefined && floor === 0) return [];
  const unneeded = abandoned(event) || (event.metadata.deletionMs !== undefined && !isUnsettled(sale));
  if (floor === 0 || unneeded) return workload === undefined ? [] : [{ kind: 'remove-workload' }];
  const { maxReplicas } = event.spec.scaling;
  return [{ kind: 'scale', floor, ceiling: Math.max(floor, maxReplicas), drainSeconds: DRAIN_SECONDS }];
}

function isUnsettled(sale: SaleSight | undefined): boolean {
  return sale !== undefined && sale.generation > 0 && sale.state !== 'settled';
}

interface Decided {
  sale: SaleSight | undefined;
  mine: SaleSight | undefined;
  answer: PhaseAnswer;
  checks: readonly CheckReport[];
  stalls: readonly Stall[];
}

function saleActions(observed: Observed, { sale, mine, answer, checks, stalls }: Decided): Action[] {
  const { event, ledger, redis, nowMs } = observed;
  if (!ledger.reachable) return [];
  if (abandoned(event)) {
    return sale !== undefined && redis.reachable && entryOf(redis, sale) !== undefined
      ? [{ kind: 'unregister', sale }]
      : [];
  }
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

/** The sale of an object that is gone is brought to its end, so that its successor can begin. */
function predecessorActions({ redis, nowMs }: Observed, sale: SaleSight): Action[] {
  const over = sale.closed || nowMs >= sale.endMs;
  if (sale.state === 'warming') return over ? [{ kind: 'settle-unsold', sale, reason: 'WindowMissed' }] : [];
  if (!redis.reachable) return [];
  const trouble = sale.state === 'recovering' ? 'Rebuilding' : troubleOf(sale, redis);
  if (trouble !== undefined) return [{ kind: 'recover', sale, reason: trouble }];
  return over ? [{ kind: 'settle', sale }] : [];
}

function settledActions({ event, redis, workload }: Observed, sale: SaleSight): Action[] {
  if (!redis.reachable) return [];
  const actions: Action[] = [];
  if (entryOf(redis, sale) !== undefined) actions.push({ kind: 'unregister', sale });
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

function statusOf(
  observed: Observed,
  parts: {
    mine: SaleSight | undefined;
    answer: PhaseAnswer;
    checks: readonly CheckReport[];
    conditions: SeckillEventStatus['conditions'];
    pods: SeckillEventStatus['pods'];
  },
): SeckillEventStatus {
  const { event, redis, accuracy } = observed;
  const { mine, answer, checks, conditions, pods } = parts;
  const stock = stockOf(redis);
  const wish = wishOf(event);
  const preheated = mine !== undefined && mine.generation > 0;
  const sameSale = mine === undefined || event.status?.eventId === mine.eventId;
  const formerStock = sameSale ? event.status?.stock : undefined;
  const current = mine !== undefined && stock !== undefined && stock.generation === mine.generation;
  const seen = current ? stockStatus(mine, stock) : formerStock;
  // With neither ledger nor stock in sight nothing is known: the last that was known is better than a guess.
  const known = !observed.ledger.reachable && mine === undefined ? event.status : undefined;
  const { eventId, edition } = mine ?? known ?? {};
  return {
    phase: known?.eventId === undefined ? answer.phase : known.phase,
    reason: answer.reason,
    message: REASONS[answer.reason],
    observedGeneration: event.metadata.generation,
    ...(eventId === undefined || edition === undefined ? {} : { eventId, edition }),
    ...(preheated ? { stockGeneration: mine.generation } : {}),
    startTime: new Date(preheated ? mine.startMs : wish.startMs).toISOString(),
    endTime: new Date(preheated ? mine.endMs : wish.endMs).toISOString(),
    ...(seen === undefined ? {} : { stock: seen }),
    ...(accuracy === undefined ? {} : { accuracy }),
    pods,
    conditions,
    checks: [...checks],
  };
}

function stockStatus(
  sale: SaleSight,
  stock: Exclude<ReturnType<typeof stockOf>, undefined>,
): SeckillEventStatus['stock'] {
  const { totalUnits, availableUnits, heldUnits, committedUnits } = stock;
  return {
    total: totalUnits,
    available: availableUnits,
    held: heldUnits,
    committed: committedUnits,
    sold: sale.soldUnits,
    drift: totalUnits - availableUnits - heldUnits - committedUnits,
  };
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
