import type { SaleSight } from '../plan/observed.ts';
import type { Wish } from '../plan/wish.ts';
import { type EffectDeps, hindered, LOST, type Outcome } from './deps.ts';
import { register } from './register.ts';

/**
 * Brings an accepted change to the stock: the ledger gives it a revision (and lets the barrier grow), Redis takes the
 * target under that revision, and after a shrink the ledger takes the total that Redis achieved. Every step repeats
 * without harm; an older revision changes nothing.
 */
export async function adjust(deps: EffectDeps, sale: SaleSight, wish: Wish): Promise<Outcome> {
  const { ledger, stock, faults } = deps;
  const { totalUnits, endMs, paused, closed } = wish;
  faults.at('operator.adjust.before-ledger');
  const event = await ledger.events.acceptChange(sale.eventId, { totalUnits, endMs, paused, closed });
  faults.at('operator.adjust.after-ledger');
  const [run] = event.runs;
  if (event.state !== 'warmed' || event.generation !== sale.generation || run === undefined) return LOST;
  const ref = { eventId: event.eventId, bucket: 0, generation: event.generation, run };
  const adjusted = await stock.adjust(ref, {
    revision: event.revision,
    totalUnits: event.targetUnits,
    endMs: event.endMs,
    paused: event.paused,
    closed: event.closed,
  });
  if (adjusted.status === 'stale') return LOST;
  if (adjusted.status === 'not-ready') {
    return hindered('RedisUnreachable', `the change could not be brought to the stock (${adjusted.reason})`);
  }
  faults.at('operator.adjust.after-redis');
  const { eventId, generation, revision } = event;
  if (adjusted.totalUnits < event.totalUnits) {
    if (!(await ledger.events.takeAchievedTotal(eventId, generation, revision, adjusted.totalUnits))) return LOST;
  }
  faults.at('operator.adjust.after-total');
  return register(deps, event);
}
