import type { SaleSight } from '../plan/observed.ts';
import { DONE, type EffectDeps, hindered, LOST, type Outcome } from './deps.ts';

/**
 * The go of a sale, once for all: the ledger first, so that a rebuild knows of it, then Redis. From here on it opens
 * and closes by the clock of Redis with no operator alive.
 */
export async function arm(
  { ledger, stock, faults }: Pick<EffectDeps, 'ledger' | 'stock' | 'faults'>,
  sale: SaleSight,
): Promise<Outcome> {
  const [run] = sale.runs;
  if (run === undefined) return LOST;
  faults.at('operator.arm.before-ledger');
  if (!sale.armed && !(await ledger.events.arm(sale.eventId, sale.generation))) return LOST;
  faults.at('operator.arm.after-ledger');
  // A pause that was accepted since the look would be lost: the stock takes none of it while it is not armed.
  const now = await ledger.events.get(sale.eventId);
  if (now?.generation !== sale.generation || now.state !== 'warmed') return LOST;
  const ref = { eventId: sale.eventId, bucket: 0, generation: sale.generation, run };
  const armed = await stock.arm(ref, { paused: now.paused });
  if (armed.status === 'not-ready')
    return hindered('RedisUnreachable', `the stock could not be armed (${armed.reason})`);
  faults.at('operator.arm.after-redis');
  return DONE;
}
