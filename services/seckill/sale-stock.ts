import type { RegistryEntry } from '../../lua/registry.ts';
import type { Stock, StockRef } from '../../lua/stock.ts';

/** What the sale needs of the stock. lua/stock.ts is one; a benchmark may bring another to measure everything else. */
export type SaleStock = Pick<Stock, 'reserve' | 'lookup' | 'snapshot'>;

/** Names one bucket of one event among all that a pod serves. */
export function bucketKeyOf({ eventId }: RegistryEntry, bucket: number): string {
  return bucket === 0 ? eventId : `${eventId}/${bucket}`;
}

/** The stock of one bucket as the registry names it; `undefined` when the registry does not say where it runs. */
export function stockRefOf(entry: RegistryEntry, bucket: number): StockRef | undefined {
  const run = entry.runs[bucket];
  return run === undefined ? undefined : { eventId: entry.eventId, bucket, generation: entry.generation, run };
}
