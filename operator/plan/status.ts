import { STATUS_MESSAGE_MAX_CHARS } from '../api/limits.ts';
import type { CheckReport, SeckillEventStatus } from '../api/status.ts';
import type { Observed, SaleSight, StockSight } from './observed.ts';
import { type PhaseAnswer, stockOf } from './phase.ts';
import { REASONS } from './reasons.ts';
import { wishOf } from './wish.ts';

/** The status that people read: what was decided, and what was seen. */
export function statusOf(
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
    conditions: conditions.map(cut),
    checks: checks.map(cut),
  };
}

function stockStatus(sale: SaleSight, stock: StockSight): SeckillEventStatus['stock'] {
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

/** A status that is too long is refused as a whole: better half a message, with a hundred broken pods in it, than none. */
export function cut<T extends { message: string }>(said: T): T {
  if (said.message.length <= STATUS_MESSAGE_MAX_CHARS) return said;
  return { ...said, message: `${said.message.slice(0, STATUS_MESSAGE_MAX_CHARS - 1)}…` };
}
