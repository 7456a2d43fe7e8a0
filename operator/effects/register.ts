import type { LedgerEvent } from '../../ledger/rows.ts';
import { removeRegistry, writeRegistry } from '../../lua/registry.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { SaleSight } from '../plan/observed.ts';
import { DONE, type EffectDeps, LOST, type Outcome } from './deps.ts';

/** Tells pods and relays of the event as the ledger knows it. A later generation or revision stays. */
export async function register({ link }: Pick<EffectDeps, 'link'>, sale: SaleSight | LedgerEvent): Promise<Outcome> {
  const { eventId, namespace, name, edition, product, buckets, generation, revision } = sale;
  const { startMs, endMs, unitsPerBuyer } = sale;
  const entry = { eventId, namespace, name, edition, product, buckets, generation, revision, startMs, endMs };
  const written = await writeRegistry(link, { ...entry, unitsPerBuyer, runs: [...sale.runs], pool: '' });
  return written === 'written' ? DONE : LOST;
}

export async function unregister(
  { link }: Pick<EffectDeps, 'link'>,
  { metadata }: Pick<SeckillEvent, 'metadata'>,
  edition: number,
): Promise<Outcome> {
  await removeRegistry(link, eventKeyOf(metadata), edition);
  return DONE;
}
