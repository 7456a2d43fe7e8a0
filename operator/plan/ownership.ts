import type { SeckillEvent } from '../api/seckill-event.ts';
import type { Stall } from './conditions.ts';
import type { Observed, SaleSight } from './observed.ts';
import { stockOf } from './phase.ts';
import { REASONS, type Reason } from './reasons.ts';
import { acceptable, frozenDifferences, wishOf } from './wish.ts';

export interface Ownership {
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
export function ownership(observed: Observed): Ownership {
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

/** Whether a sale may not even begin, rather than go on without a part of its spec. */
export function blocksSale(reason: Reason): boolean {
  return reason === 'PredecessorUnsettled' || reason === 'AlreadySettled';
}
