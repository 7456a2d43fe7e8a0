import type { Ledger } from '../../ledger/ledger.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import { REFUSED_BY_STOCK, type StockWord } from '../../ledger/store-holds.ts';
import type { NotReady, NotReadyReason } from '../../lua/loader.ts';
import type { CommitAnswer, Stock, StockRef } from '../../lua/stock.ts';
import { SeckillError } from '../domain/errors.ts';
import type { HoldMessage } from '../domain/hold-message.ts';
import { TRANSITION_BATCH_MAX_RESERVATIONS } from '../domain/limits.ts';
import { isLive, type OrderState } from '../domain/order.ts';
import { type Attempt, isAttempt } from '../domain/reservation.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Log } from '../kit/log.ts';
import type { Metrics } from '../kit/metrics.ts';

/** An order whose state Redis has to learn. */
export interface OrderForStock extends Attempt {
  bucket: number;
  state: OrderState;
}

export interface StockBringer {
  /**
   * Asks the stock for units for holds of earlier generations, before they become rows. It takes what it can: a hold
   * that is not refused has its units from then on. Where Redis answers that it is not the stock that the ledger means,
   * nothing is refused: the rebuild will count the rows. Throws as `bring` does; to be asked again changes nothing.
   */
  ask(event: LedgerEvent, holds: readonly HoldMessage[]): Promise<StockWord>;
  /**
   * Tells Redis of orders of one event, each by its row's state: a live one is committed, an ended one released. `event`
   * was read in the transaction that read or wrote the rows. Throws when Redis is away or did not answer: then all of it
   * is done again, which changes nothing that was done. Resolves without a word when Redis answers that it is not the
   * stock that the ledger means: the operator recovers it, and the rebuild brings these rows.
   */
  bring(event: LedgerEvent, orders: readonly OrderForStock[]): Promise<void>;
  /** Ends reservations. The answer names those that Redis has ended; the others are left to a recovery. */
  release(ref: StockRef, items: readonly Attempt[]): Promise<string[]>;
}

/** Redis itself is unable at present, which says nothing about the stock. All other reasons are answers of the stock. */
const WORTH_WAITING_FOR: readonly NotReadyReason[] = ['disconnected', 'refused-by-redis', 'oom'];

export function createStockBringer(deps: {
  stock: Stock;
  ledger: Ledger;
  faults: Faults;
  log: Log;
  metrics: Metrics;
}): StockBringer {
  const { stock, ledger, faults, log } = deps;
  const answers = deps.metrics.tally('orderStock');
  const recoveries = deps.metrics.tally('orderRecoveries');

  async function leave(ref: StockRef, { reason }: NotReady, count: number): Promise<void> {
    if (WORTH_WAITING_FOR.includes(reason)) {
      throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `orders cannot be brought to Redis: ${reason}`);
    }
    answers.add(reason, count);
    log.info({ eventId: ref.eventId, generation: ref.generation, reason, count }, 'orders are left to the rebuild');
    // Counters may add up and be shifted: then nobody else sees that these reservations do not fit them.
    if (reason === 'law-broken') await recover(ref, reason);
  }

  /** Redis and ledger contradict each other in a way that only a rebuild from the ledger can mend. */
  async function recover(ref: StockRef, reason: string, orderId?: string): Promise<void> {
    const begun = await ledger.events.beginRecovery(ref.eventId, ref.generation);
    recoveries.add(reason);
    log.error({ eventId: ref.eventId, generation: ref.generation, orderId, reason, begun }, 'an event must recover');
  }

  async function voidRefused(ref: StockRef, item: Attempt): Promise<void> {
    const { eventId, generation } = ref;
    const id = item.reservationId;
    const outcome = await ledger.orders.void({ eventId, generation, id, reason: REFUSED_BY_STOCK });
    answers.add(`void-${outcome}`);
    if (outcome === 'too-late') return recover(ref, 'refused-but-paid', id);
    if (outcome === 'other-generation') return;
    faults.at('order.after-void');
    await release(ref, [item]);
  }

  /** Redis says that the reservation ended, or is another one. Only a row that is live even now contradicts that. */
  async function examine(ref: StockRef, item: Attempt, answer: CommitAnswer): Promise<void> {
    const row = await ledger.orders.get(item.reservationId);
    if (row !== undefined && isLive(row.state)) await recover(ref, `live-but-${answer}`, item.reservationId);
  }

  /** A row that somebody changed by hand may be nothing that Redis could hold; the audit says what is wrong with it. */
  function readable<T extends Attempt>(eventId: string, items: readonly T[]): T[] {
    const found = items.filter(isAttempt);
    if (found.length < items.length) {
      const unreadable = items.filter((item) => !isAttempt(item)).map(({ reservationId }) => reservationId);
      answers.add('unreadable', unreadable.length);
      log.error(
        { eventId, orders: unreadable.slice(0, 5), count: unreadable.length },
        'these orders are nothing that Redis could hold',
      );
    }
    return found;
  }

  async function commit(ref: StockRef, items: readonly Attempt[]): Promise<void> {
    const done = await stock.commit(ref, items);
    if (done.status === 'not-ready') return leave(ref, done, items.length);
    faults.at('order.after-commit');
    for (const [index, item] of items.entries()) {
      const answer = done.answers[index] ?? 'conflict';
      answers.add(answer);
      if (answer === 'refused') await voidRefused(ref, item);
      else if (answer !== 'committed') await examine(ref, item, answer);
    }
  }

  async function release(ref: StockRef, items: readonly Attempt[]): Promise<string[]> {
    const done = await stock.release(ref, items);
    if (done.status === 'not-ready') {
      await leave(ref, done, items.length);
      return [];
    }
    faults.at('order.after-release');
    const ended: string[] = [];
    for (const [index, { reservationId }] of items.entries()) {
      const answer = done.answers[index] ?? 'conflict';
      answers.add(answer);
      if (answer === 'released') ended.push(reservationId);
      else await recover(ref, 'ended-but-conflict', reservationId);
    }
    return ended;
  }

  return {
    release: async (ref, items) => {
      const fit = readable(ref.eventId, items);
      return fit.length === 0 ? [] : release(ref, fit);
    },
    async ask(event, holds) {
      const refused = new Set<string>();
      for (const [ref, mine] of byBucket(event, holds)) {
        for (const items of slices(mine)) {
          const done = await stock.commit(ref, items);
          if (done.status === 'not-ready') {
            await leave(ref, done, items.length);
            continue;
          }
          for (const [index, { reservationId }] of items.entries()) {
            // Also one that the stock has ended, or knows otherwise: it has taken no units for this hold.
            if (done.answers[index] !== 'committed') refused.add(reservationId);
          }
        }
      }
      answers.add('refused', refused.size);
      const { eventId, generation } = event;
      const counts = { asked: holds.length, refused: refused.size };
      log.warn({ eventId, generation, ...counts }, 'holds of an earlier generation came late');
      return { generation, refused };
    },
    async bring(event, orders) {
      if (event.state !== 'warmed') {
        answers.add(event.state, orders.length);
        return;
      }
      for (const [ref, mine] of byBucket(event, readable(event.eventId, orders))) {
        const live = mine.filter(({ state }) => isLive(state));
        const ended = mine.filter(({ state }) => !isLive(state));
        for (const items of slices(live)) await commit(ref, items);
        for (const items of slices(ended)) await release(ref, items);
      }
    },
  };
}

/** Each bucket of the event, as the stock of its present generation, with what belongs to it. */
function byBucket<T extends { bucket: number }>(event: LedgerEvent, items: readonly T[]): [StockRef, T[]][] {
  const { eventId, generation } = event;
  return event.runs.map((run, bucket) => [
    { eventId, bucket, generation, run },
    items.filter((item) => item.bucket === bucket),
  ]);
}

function slices<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / TRANSITION_BATCH_MAX_RESERVATIONS);
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * TRANSITION_BATCH_MAX_RESERVATIONS, (index + 1) * TRANSITION_BATCH_MAX_RESERVATIONS),
  );
}
