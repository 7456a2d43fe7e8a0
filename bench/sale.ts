import { randomBytes, randomUUID } from 'node:crypto';
import { connectRedis, type RedisLink } from '../lua/connection.ts';
import { type RegistryEntry, writeRegistry } from '../lua/registry.ts';
import { createStock, type Stock, type StockRef } from '../lua/stock.ts';
import { eventIdOf } from '../services/domain/event.ts';
import type { Log } from '../services/kit/log.ts';
import { BENCH_SALE_MS, BENCH_UNITS, READY_MAX_MS } from './limits.ts';

export const PRODUCT = { sku: 'BENCH', title: 'Bench', priceMinor: 100, currency: 'EUR' };

/** A way to Redis for the benchmark itself. */
export interface Bench {
  link: RedisLink;
  stock: Stock;
  close(): Promise<void>;
}

export async function openBench(url: string, log: Log): Promise<Bench> {
  const link = connectRedis({ url, log, name: 'bench', commandTimeoutMs: READY_MAX_MS });
  await link.ready(AbortSignal.timeout(READY_MAX_MS));
  return { link, stock: createStock({ link }), close: () => link.close() };
}

export interface BenchSale {
  ref: StockRef;
  entry: RegistryEntry;
}

/** An open sale in Redis, with a name that nothing else has. Pods learn of it when it is registered. */
export async function openSale({ link, stock }: Bench, totalUnits: number = BENCH_UNITS): Promise<BenchSale> {
  const run = link.current()?.run;
  if (run === undefined) throw new Error('Redis is away');
  const identity = { namespace: 'bench', name: `sale-${randomBytes(5).toString('hex')}`, edition: 1 };
  const ref: StockRef = { eventId: eventIdOf(identity), bucket: 0, generation: 1, run };
  const window = { startMs: Date.now() - 1_000, endMs: Date.now() + BENCH_SALE_MS };
  // One unit a buyer: a pod keeps no hint where a buyer could ask for less than what is left.
  const wish = { revision: 1, totalUnits, ...window, unitsPerBuyer: 1 };
  const preheated = await stock.preheat(ref, wish);
  const armed = await stock.arm(ref, { paused: false });
  if (preheated.status !== 'preheated' || armed.status !== 'armed') throw new Error('the sale could not be opened');
  const { eventId, generation } = ref;
  const { unitsPerBuyer, revision } = wish;
  const entry: RegistryEntry = {
    ...identity,
    ...window,
    eventId,
    product: PRODUCT,
    buckets: 1,
    runs: [run],
    generation,
    revision,
    unitsPerBuyer,
    pool: '',
  };
  return { ref, entry };
}

export async function register({ link }: Bench, { entry }: BenchSale): Promise<void> {
  if ((await writeRegistry(link, entry)) !== 'written') throw new Error('the sale could not be registered');
}

/** A sale of one unit, which is gone. */
export async function newSoldOutSale(bench: Bench): Promise<BenchSale> {
  const sale = await openSale(bench, 1);
  const buyer = { reservationId: randomUUID(), buyer: 'first', units: 1 };
  const decision = await bench.stock.reserve(sale.ref, [buyer], Number.MAX_SAFE_INTEGER);
  if (decision.status !== 'decided' || decision.answers[0]?.status !== 'held') throw new Error('the unit was not sold');
  return sale;
}
