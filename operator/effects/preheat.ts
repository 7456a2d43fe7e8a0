import type { OpenEdition } from '../../ledger/events.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { Wish } from '../plan/wish.ts';
import { DONE, type EffectDeps, hindered, LOST, type Outcome } from './deps.ts';
import { register } from './register.ts';

/** Opens the edition that the object sells from, or writes the present spec into one that nothing was sold from. */
export async function open({ ledger }: EffectDeps, event: SeckillEvent, wish: Wish): Promise<Outcome> {
  const { status } = await ledger.events.openEdition(editionOf(event, wish));
  return status === 'opened' || status === 'continued' ? DONE : LOST;
}

/**
 * Brings the stock to Redis: ledger `warming` with a fresh generation → Redis, only if absent and nothing was sold →
 * ledger `warmed` → registry. Killed anywhere, it is begun anew with the next generation, which replaces what the
 * killed one left.
 */
export async function preheat(deps: EffectDeps, event: SeckillEvent, wish: Wish): Promise<Outcome> {
  const { ledger, link, stock, faults } = deps;
  const connection = link.current();
  if (connection === undefined) return hindered('RedisUnreachable', 'Redis does not answer');
  const opened = await ledger.events.openEdition(editionOf(event, wish));
  if (opened.status === 'settled' || opened.status === 'predecessor-unsettled') return LOST;
  const { event: sale } = opened;
  if (sale.state !== 'warming') return LOST;
  const { eventId } = sale;
  faults.at('operator.preheat.before-generation');
  const generation = await ledger.events.beginPreheat(eventId, sale);
  if (generation === undefined) return LOST;
  faults.at('operator.preheat.after-generation');
  const ref = { eventId, bucket: 0, generation, run: connection.run };
  const { revision, totalUnits, startMs, endMs, unitsPerBuyer } = sale;
  const made = await stock.preheat(ref, { revision, totalUnits, startMs, endMs, unitsPerBuyer });
  if (made.status === 'not-ready') return hindered('RedisUnreachable', `Redis did not take the stock (${made.reason})`);
  if (made.status === 'refused') return refused(deps, sale, generation);
  faults.at('operator.preheat.after-stock');
  if (!(await ledger.events.finishPreheat(eventId, generation, [connection.run]))) return LOST;
  faults.at('operator.preheat.after-ledger');
  return register(deps, { ...sale, state: 'warmed', generation, runs: [connection.run] });
}

/** Somebody faster has a later generation; or the keys are of a sale that this ledger never knew. */
async function refused({ ledger }: EffectDeps, { eventId }: LedgerEvent, generation: number): Promise<Outcome> {
  const now = await ledger.events.get(eventId);
  if (now?.generation !== generation || now.state !== 'warming') return LOST;
  const keys = `seckill:{${eventId}/0}:*`;
  return hindered(
    'StockInUse',
    `Redis holds stock under ${keys} that this ledger did not put there. Delete those keys if no sale uses them.`,
  );
}

function editionOf({ metadata, spec }: SeckillEvent, wish: Wish): OpenEdition {
  const { product, stock, limits } = spec;
  const { namespace, name, uid } = metadata;
  const { totalUnits, endMs, paused, closed, startMs } = wish;
  const frozen = { product, buckets: stock.buckets, unitsPerBuyer: limits.unitsPerBuyer, startMs };
  return { namespace, name, uid, frozen, totalUnits, endMs, paused, closed };
}
