import type { Ledger } from '../../../ledger/ledger.ts';
import type { Journal } from '../../../lua/journal.ts';
import type { Stock } from '../../../lua/stock.ts';
import type { Admin } from '../../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC, ORDER_GROUP } from '../../../services/kit/kafka/topics.ts';
import type { Sample } from '../../../services/kit/metrics/series.ts';
import type { Metrics } from '../../../services/kit/metrics.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import { answered } from './answered.ts';
import type { EventView, SeenEvent } from './event-view.ts';
import { createLagAge } from './lag-age.ts';
import { ORDERS_BUSY_RATIO, ORDERS_INTERVAL_MS } from './limits.ts';
import { createOldestHold } from './oldest-hold.ts';
import { redisNowMs } from './rank-events.ts';

/** What is known of an event's way from hold to order. */
interface Measured {
  journalEntries: number;
  oldestHoldSeconds: number | undefined;
}

interface CountedOrders {
  byState: readonly (readonly [state: string, orders: number])[];
  paidUnits: number;
  /** When they may be counted again. */
  againAtMs: number;
}

/** Measures the pipeline of the events that are shown in full, and how far the consumers are behind. */
export function createPipelineMeasure(deps: {
  view: EventView;
  stock: Stock;
  journal: Journal;
  ledger: Ledger;
  admin: Admin;
  metrics: Metrics;
}): () => Promise<void> {
  const { view, stock, journal, ledger, admin, metrics } = deps;
  const oldest = createOldestHold({ stock, journal });
  const age = createLagAge();
  const orders = new Map<EventKey, CountedOrders>();
  let measured = new Map<EventKey, Measured>();
  let lag: { messages: number; seconds: number } | undefined;

  const each = (values: () => Iterable<Sample | undefined>) => () =>
    [...values()].filter((sample): sample is Sample => sample !== undefined);
  metrics.gauge(
    'journalEntries',
    each(() => [...measured].map(([key, { journalEntries }]): Sample => [[key], journalEntries])),
  );
  metrics.gauge(
    'oldestHoldSeconds',
    each(() =>
      [...measured].map(([key, { oldestHoldSeconds: seconds }]) =>
        seconds === undefined ? undefined : [[key], seconds],
      ),
    ),
  );
  metrics.gauge(
    'orders',
    each(() => [...orders].flatMap(([key, { byState }]) => byState.map(([state, n]): Sample => [[key, state], n]))),
  );
  metrics.gauge(
    'paidUnits',
    each(() => [...orders].map(([key, { paidUnits }]): Sample => [[key], paidUnits])),
  );
  metrics.gauge('consumerLagMessages', () => lag?.messages);
  metrics.gauge('consumerLagSeconds', () => lag?.seconds);

  async function measureEvent(one: SeenEvent): Promise<Measured | undefined> {
    const { sale } = one;
    const run = sale?.runs[0];
    if (sale?.state !== 'warmed' || run === undefined) return undefined;
    const ref = { eventId: sale.eventId, bucket: 0, generation: sale.generation, run };
    const seen = await stock.snapshot(ref);
    if (seen.status !== 'ok') return undefined;
    const hold = await oldest.look(ref, seen.heldUnits);
    const seconds = hold.status === 'found' ? Math.max(0, redisNowMs(one) - hold.atMs) / 1_000 : 0;
    return { journalEntries: seen.journalLength, oldestHoldSeconds: hold.status === 'unknown' ? undefined : seconds };
  }

  async function countOrders({ key, sale }: SeenEvent): Promise<void> {
    const beganMs = performance.now();
    if (sale === undefined || beganMs < (orders.get(key)?.againAtMs ?? 0)) return;
    const found = await ledger.orders.sumByState(sale.eventId);
    const nowMs = performance.now();
    orders.set(key, {
      byState: found.map(({ state, orders: count }) => [state, count] as const),
      paidUnits: found.find(({ state }) => state === 'PAID')?.units ?? 0,
      againAtMs: nowMs + Math.max(ORDERS_INTERVAL_MS, (nowMs - beganMs) / ORDERS_BUSY_RATIO),
    });
  }

  async function measureLag(): Promise<void> {
    const answers = await answered(
      Promise.all([admin.endOffsets(HOLDS_TOPIC), admin.takenOffsets(ORDER_GROUP, HOLDS_TOPIC)]),
    );
    // What cannot be asked is not shown: an old number would look like a calm one.
    lag = answers === undefined ? undefined : age.measure(...answers, performance.now());
  }

  return async () => {
    const events = view.inFull();
    const now = new Map<EventKey, Measured>();
    const lagged = measureLag();
    for (const one of events) {
      const found = await answered(measureEvent(one));
      if (found !== undefined) now.set(one.key, found);
      await answered(countOrders(one));
    }
    await lagged;
    measured = now;
    const shown = new Set(events.map(({ key }) => key));
    for (const key of orders.keys()) if (!shown.has(key)) orders.delete(key);
    oldest.forget(new Set(events.flatMap(({ sale }) => (sale === undefined ? [] : [sale.eventId]))));
  };
}
