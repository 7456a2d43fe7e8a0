import { randomUUID } from 'node:crypto';
import type { Attempt } from '../services/domain/reservation.ts';
import { figureOf, type Part, spoken } from './figure.ts';
import { ROUNDS, SCRIPT_ATTEMPTS, SCRIPT_BATCH_ATTEMPTS, SCRIPT_CALLS_IN_FLIGHT } from './limits.ts';
import { redisUse } from './redis-facts.ts';
import { type Bench, type BenchSale, openSale } from './sale.ts';

/** The purchase script: what one attempt costs Redis when it comes alone, and when it comes with others. */
export async function benchScript(bench: Bench): Promise<Part> {
  const sale = await openSale(bench);
  const alone: number[] = [];
  const together: number[] = [];
  // The first round warms up both ways.
  for (let round = -1; round < ROUNDS; round += 1) {
    const one = await cpuPerAttempt(bench, sale, 1);
    const many = await cpuPerAttempt(bench, sale, SCRIPT_BATCH_ATTEMPTS);
    if (round < 0) continue;
    alone.push(one);
    together.push(many);
  }
  const rounds = alone.map((own, index) => ({ own, baseline: together[index] as number }));
  return {
    figures: [figureOf('purchase script, Redis CPU of one attempt a call to batches of 64', 2, rounds)],
    details: [
      { what: 'purchase script, one attempt a call: Redis CPU', value: spoken(alone, 'µs an attempt', 1) },
      { what: 'purchase script, batches of 64: Redis CPU', value: spoken(together, 'µs an attempt', 1) },
    ],
  };
}

async function cpuPerAttempt({ link, stock }: Bench, { ref }: BenchSale, batchSize: number): Promise<number> {
  const batches = Array.from({ length: SCRIPT_ATTEMPTS / batchSize }, () => newAttempts(batchSize));
  const before = await redisUse(link);
  const work = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      const decision = await stock.reserve(ref, batch, Number.MAX_SAFE_INTEGER);
      if (decision.status !== 'decided' || decision.answers.some(({ status }) => status !== 'held')) {
        throw new Error('an attempt of the benchmark did not win');
      }
    }
  };
  await Promise.all(Array.from({ length: SCRIPT_CALLS_IN_FLIGHT }, work));
  const after = await redisUse(link);
  return (after.cpuMicros - before.cpuMicros) / SCRIPT_ATTEMPTS;
}

export function newAttempts(count: number): Attempt[] {
  return Array.from({ length: count }, () => {
    const reservationId = randomUUID();
    return { reservationId, buyer: `b-${reservationId}`, units: 1 };
  });
}
