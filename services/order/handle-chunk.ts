import { failureKind } from '../../ledger/failures.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { StoredHold, StoreHoldsResult } from '../../ledger/store-holds.ts';
import type { Clock } from '../kit/clock.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { ChunkHandler } from '../kit/kafka/port.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type DeadLetter, type ReceivedHold, readChunk } from './read-chunk.ts';
import type { StockBringer } from './stock-bringer.ts';

/**
 * Holds become orders. The order of effects is the whole point: rows first, in one transaction an event; then Redis, by
 * the state of the rows and not by the messages; then the dead letters; and only when this resolves are the offsets
 * committed. Dying anywhere in between repeats some of it, and every part of it may be repeated.
 *
 * It rejects only when a server is away: then the chunk comes again. What is wrong with a message or an event is never
 * a reason to reject, because that would stop all others.
 */
export function createChunkHandler(deps: {
  ledger: Ledger;
  bringer: StockBringer;
  deadLetters: DeadLetters;
  clock: Clock;
  faults: Faults;
  metrics: Metrics;
}): ChunkHandler {
  const { ledger, bringer, deadLetters, clock, faults } = deps;
  const outcomes = deps.metrics.tally('orderRows');
  // There before the first one: of what a counter had when it was first seen, a rate knows nothing.
  for (const outcome of ['new', 'voided']) outcomes.cell(outcome);
  const seconds = deps.metrics.histogram('orderTransactionSeconds');
  const batches = deps.metrics.histogram('orderBatchRows');
  const ages = deps.metrics.histogram('holdToOrderSeconds');

  /** `cannot-hold`: a value of theirs does not fit its column, and never will. Nothing was stored. */
  async function storeHolds(
    ...args: Parameters<Ledger['orders']['storeHolds']>
  ): Promise<StoreHoldsResult | { status: 'cannot-hold'; why: string }> {
    try {
      return await ledger.orders.storeHolds(...args);
    } catch (error) {
      if (failureKind(error) !== 'data') throw error;
      return { status: 'cannot-hold', why: String(error) };
    }
  }

  async function store(eventId: string, received: readonly ReceivedHold[]): Promise<DeadLetter[]> {
    const holds = received.map(({ hold }) => hold);
    faults.at('order.before-store');
    const beganMs = performance.now();
    let stored = await storeHolds(eventId, holds);
    // Asked more than once only when yet another generation has begun meanwhile.
    while (stored.status === 'ask-stock') {
      const word = await bringer.ask(stored.event, stored.holds);
      faults.at('order.before-store');
      stored = await storeHolds(eventId, holds, word);
    }
    if (stored.status === 'cannot-hold') return storeEach(eventId, received, stored.why);
    seconds.observe((performance.now() - beganMs) / 1_000);
    batches.observe(received.length);
    faults.at('order.after-store');
    if (stored.status === 'unknown-event') return all(received, 'the ledger has no such event');
    if (stored.status === 'not-warmed') return all(received, 'the event has not been preheated');

    const pairs = received.map((one, index) => ({ ...one, row: stored.rows[index] }));
    const orders = pairs.flatMap(({ hold, row }) => {
      if (row === undefined || row.stored === 'other-event') return [];
      return [{ reservationId: row.id, buyer: row.buyer, units: row.units, state: row.state, bucket: hold.bucket }];
    });
    const nowMs = clock.nowMs();
    for (const { hold, row } of pairs) {
      const outcome = outcomeOf(row);
      outcomes.add(outcome);
      if (outcome === 'new') ages.observe(Math.max(0, nowMs - hold.heldAtMs) / 1_000);
    }
    await bringer.bring(stored.event, orders);
    return pairs.flatMap(({ message, row }) => {
      const reason = contradiction(row);
      return reason === undefined ? [] : [{ message, reason }];
    });
  }

  /** A value that the ledger cannot hold is found by trying the holds one by one, so that the others get in. */
  async function storeEach(eventId: string, received: readonly ReceivedHold[], why: string): Promise<DeadLetter[]> {
    if (received.length === 1) return all(received, `the ledger cannot hold it: ${why}`);
    const found: DeadLetter[] = [];
    for (const one of received) found.push(...(await store(eventId, [one])));
    return found;
  }

  return async (chunk) => {
    const { byEvent, unreadable } = readChunk(chunk);
    const letters = [...unreadable];
    for (const [eventId, received] of byEvent) letters.push(...(await store(eventId, received)));
    await deadLetters.send(letters);
    if (letters.length > 0) faults.at('order.after-dead-letters');
    faults.at('order.before-offsets');
  };
}

function all(received: readonly ReceivedHold[], reason: string): DeadLetter[] {
  return received.map(({ message }) => ({ message, reason }));
}

function contradiction(row: StoredHold | undefined): string | undefined {
  if (row?.stored === 'differs') return 'the order of this id has another buyer or other units';
  if (row?.stored === 'other-event') return 'the order of this id belongs to another event';
  return undefined;
}

function outcomeOf(row: StoredHold | undefined): string {
  if (row === undefined) return 'other-event';
  return row.stored === 'new' && row.state === 'VOIDED' ? 'voided' : row.stored;
}
