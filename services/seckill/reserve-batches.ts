import { AssertionError } from 'node:assert/strict';
import type { RegistryEntry } from '../../lua/registry.ts';
import type { ReserveAnswer } from '../../lua/stock.ts';
import { ATTEMPT_WAIT_MAX_MS, RESERVE_BATCH_MAX_ATTEMPTS, RESERVE_DEADLINE_MS } from '../domain/limits.ts';
import type { Attempt } from '../domain/reservation.ts';
import type { Clock } from '../kit/clock.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Log } from '../kit/log.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { Hints } from './hints.ts';
import { ATTEMPTS_IN_FLIGHT_MAX, BATCHES_IN_FLIGHT_MAX, ERROR_LOG_INTERVAL_MS } from './limits.ts';
import type { RegistryView } from './registry-view.ts';
import { bucketKeyOf, type SaleStock, stockRefOf } from './sale-stock.ts';

/** What became of an attempt. `unknown`: it was sent, and nothing that says more came back; all others are definite. */
export type AttemptOutcome = ReserveAnswer | { status: 'not-ready' | 'unknown' | 'overloaded' };

/*
 * One call of Redis for each attempt would spend most of Redis's and the pod's time on the calls. So the attempts of one
 * turn of the event loop go together, and while BATCHES_IN_FLIGHT_MAX calls are out, the next batch grows.
 */
export interface ReserveBatches {
  submit(entry: RegistryEntry, bucket: number, attempt: Attempt): Promise<AttemptOutcome>;
}

export interface ReserveBatchesOptions {
  stock: Pick<SaleStock, 'reserve'>;
  registry: RegistryView;
  hints: Hints;
  clock: Clock;
  faults: Faults;
  log: Log;
  metrics: Metrics;
  attemptsInFlightMax?: number;
}

interface Waiting {
  attempt: Attempt;
  sinceMs: number;
  settle(outcome: AttemptOutcome): void;
}

/** The attempts on one bucket of one event. */
interface Lane {
  key: string;
  entry: RegistryEntry;
  bucket: number;
  waiting: Waiting[];
  batchesInFlight: number;
  scheduled: boolean;
}

const OVERLOADED: AttemptOutcome = { status: 'overloaded' };
const UNKNOWN: AttemptOutcome = { status: 'unknown' };

export function createReserveBatches(options: ReserveBatchesOptions): ReserveBatches {
  const { stock, registry, hints, clock, faults, log, metrics } = options;
  const { attemptsInFlightMax = ATTEMPTS_IN_FLIGHT_MAX } = options;
  const lanes = new Map<string, Lane>();
  const batchSizes = metrics.histogram('reserveBatchAttempts');
  const shed = metrics.tally('attemptsShed');
  const [full, tooLate] = [shed.cell('full'), shed.cell('late')];
  let attemptsInFlight = 0;
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  metrics.gauge('attemptsInFlight', () => attemptsInFlight);

  function laneOf(entry: RegistryEntry, bucket: number): Lane {
    const key = bucketKeyOf(entry, bucket);
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = { key, entry, bucket, waiting: [], batchesInFlight: 0, scheduled: false };
      lanes.set(key, lane);
    }
    lane.entry = entry;
    return lane;
  }

  function finish(batch: readonly Waiting[], outcomeOf: (index: number) => AttemptOutcome): void {
    attemptsInFlight -= batch.length;
    for (const [index, { settle }] of batch.entries()) settle(outcomeOf(index));
  }

  /** Sends what waits, as far as calls may be out; refuses what has waited for too long. */
  function flush(lane: Lane): void {
    lane.scheduled = false;
    while (lane.waiting.length > 0 && lane.batchesInFlight < BATCHES_IN_FLIGHT_MAX) {
      const nowMs = clock.monotonicMs();
      const batch = lane.waiting.splice(0, RESERVE_BATCH_MAX_ATTEMPTS);
      const late = batch.filter(({ sinceMs }) => nowMs - sinceMs > ATTEMPT_WAIT_MAX_MS);
      tooLate.count += late.length;
      finish(late, () => OVERLOADED);
      const timely = late.length === 0 ? batch : batch.filter((waiting) => !late.includes(waiting));
      if (timely.length > 0) void send(lane, timely, nowMs);
    }
    // A lane that was let go may still have a flush before it, and another one in its place.
    const idle = lane.waiting.length === 0 && lane.batchesInFlight === 0;
    if (idle && lanes.get(lane.key) === lane) lanes.delete(lane.key);
  }

  async function send(lane: Lane, batch: Waiting[], sentAtMs: number): Promise<void> {
    lane.batchesInFlight += 1;
    try {
      await decide(lane, batch, sentAtMs);
    } catch (error) {
      // A broken invariant of this process is not an answer: it ends the process.
      if (error instanceof AssertionError) throw error;
      if (sentAtMs - loggedAtMs > ERROR_LOG_INTERVAL_MS) {
        loggedAtMs = sentAtMs;
        log.error({ err: error, eventId: lane.entry.eventId, attempts: batch.length }, 'a batch has no answer');
      }
      finish(batch, () => UNKNOWN);
    } finally {
      lane.batchesInFlight -= 1;
    }
    flush(lane);
  }

  async function decide({ entry, bucket }: Lane, batch: Waiting[], sentAtMs: number): Promise<void> {
    const ref = stockRefOf(entry, bucket);
    if (ref === undefined) return finish(batch, () => ({ status: 'not-ready' }));
    faults.at('seckill.before-reserve');
    const attempts = batch.map(({ attempt }) => attempt);
    const found = await stock.reserve(ref, attempts, registry.redisNowMs() + RESERVE_DEADLINE_MS);
    faults.at('seckill.after-reserve');
    batchSizes.observe(batch.length);
    if (found.status === 'not-ready') return finish(batch, () => ({ status: 'not-ready' }));
    const { answers, availableUnits } = found;
    if (answers.some(({ status }) => status === 'sold-out')) hints.learn(entry, bucket, availableUnits, sentAtMs);
    finish(batch, (index) => answers[index] ?? UNKNOWN);
  }

  return {
    submit(entry, bucket, attempt) {
      if (attemptsInFlight >= attemptsInFlightMax) {
        full.count += 1;
        return Promise.resolve(OVERLOADED);
      }
      attemptsInFlight += 1;
      const lane = laneOf(entry, bucket);
      return new Promise((settle) => {
        lane.waiting.push({ attempt, sinceMs: clock.monotonicMs(), settle });
        if (lane.scheduled || lane.batchesInFlight >= BATCHES_IN_FLIGHT_MAX) return;
        lane.scheduled = true;
        setImmediate(flush, lane);
      });
    },
  };
}
