import { describe, expect, test } from 'vitest';
import { createEventView, type EventView } from '../../operator/effects/metrics/event-view.ts';
import {
  AUDIT_SERIES,
  EVENT_SERIES_MAX,
  EVENTS_IN_FULL_MAX,
  EVENTS_IN_FULL_MIN,
} from '../../operator/effects/metrics/limits.ts';
import { plan } from '../../operator/plan/plan.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { createMetrics, type Metrics } from '../../services/kit/metrics.ts';
import { anEvent, aSale, aStock, MINUTE_MS, observed } from '../operator/sights.ts';
import { seriesOf } from './promtool.ts';

const NOON_MS = Date.parse('2026-12-12T12:00:00Z');
const DAY_MS = 86_400_000;

type Sight = 'open all day' | 'at noon' | 'next week' | 'settled' | 'settled, wrong';

/** A leader that has seen these events at a time before noon. */
function leaderAt(toNoonMs: number, events: Readonly<Record<string, Sight>>): { metrics: Metrics; view: EventView } {
  const metrics = createMetrics({ role: 'operator' });
  const view = createEventView(metrics);
  const nowMs = NOON_MS - toNoonMs;
  for (const [name, sight] of Object.entries(events)) {
    const [startMs, endMs] = {
      'open all day': [NOON_MS - DAY_MS, NOON_MS + DAY_MS] as const,
      'at noon': [NOON_MS, NOON_MS + 60 * MINUTE_MS] as const,
      'next week': [NOON_MS + 7 * DAY_MS, NOON_MS + 8 * DAY_MS] as const,
      settled: [NOON_MS - 2 * DAY_MS, NOON_MS - DAY_MS] as const,
      'settled, wrong': [NOON_MS - 3 * DAY_MS, NOON_MS - 2 * DAY_MS] as const,
    }[sight];
    const times = { startTime: new Date(startMs).toISOString(), endTime: new Date(endMs).toISOString() };
    const event = anEvent(
      { 'spec.schedule.startTime': times.startTime, 'spec.schedule.endTime': times.endTime },
      { name, createdMs: startMs - DAY_MS },
    );
    const state = sight.startsWith('settled') ? 'settled' : 'warmed';
    const generation = sight === 'next week' ? 0 : 1;
    const sale = aSale({ name, startMs, endMs, state, generation, rebuilds: 0 });
    const accuracy = sight === 'settled, wrong' ? { ...ACCURATE, oversold: 1 } : ACCURATE;
    const seen = { ...observed({ event, sale, nowMs, stock: aStock({ endMs }) }), accuracy };
    view.saw(`shop/${name}`, seen, plan(seen).status);
  }
  return { metrics, view };
}

const many = (count: number, name: string, sight: Sight): Record<string, Sight> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}-${index}`, sight]));

/** The series of the metric that are there, without its name. */
async function shown({ metrics }: { metrics: Metrics }, name: string): Promise<string[]> {
  return seriesOf(await metrics.text()).filter((line) => line.startsWith(`${name}{`));
}

const ALERTED_AT_OPENING = [
  'seckill_event_armed',
  'seckill_event_seconds_to_opening',
  'seckill_event_seconds_to_end',
  'seckill_pods_wanted',
  'seckill_pods_ready',
];

describe('the events that a leader shows', () => {
  test('begin with the sale that is about to open, however many are open', async () => {
    const leader = leaderAt(10 * MINUTE_MS, { ...many(5, 'long', 'open all day'), noon: 'at noon' });
    expect(leader.view.inFull()[0]?.key).toBe('shop/noon');
    expect(leader.view.inFull().length).toBe(EVENTS_IN_FULL_MAX);
    for (const name of ALERTED_AT_OPENING) expect((await shown(leader, name)).join()).toContain('shop/noon');
    expect((await shown(leader, 'seckill_event_phase')).length).toBe(6);
  });

  test('tell of the opening of each of eight sales at noon, and all there is to tell of two', async () => {
    const leader = leaderAt(MINUTE_MS, many(8, 'noon', 'at noon'));
    for (const name of ALERTED_AT_OPENING) expect((await shown(leader, name)).length, name).toBe(8);
    expect(leader.view.inFull().length).toBeGreaterThanOrEqual(EVENTS_IN_FULL_MIN);
  });

  test('no longer tell so much of an opening that was long ago', async () => {
    const leader = leaderAt(-6 * MINUTE_MS, many(8, 'noon', 'at noon'));
    expect((await shown(leader, 'seckill_event_armed')).length).toBe(leader.view.inFull().length);
  });

  test('never hide a sale that is wrong behind those that are well, and what is over before what is to come', async () => {
    const leader = leaderAt(MINUTE_MS, {
      ...many(20, 'later', 'next week'),
      ...many(5, 'long', 'open all day'),
      ...many(10, 'past', 'settled'),
      wrong: 'settled, wrong',
    });
    expect(leader.view.shows('shop/wrong')).toBe(true);
    expect(leader.view.shows('shop/later-0')).toBe(true);
    expect(leader.view.shows('shop/past-0')).toBe(false);
    expect(await shown(leader, 'seckill_events')).toHaveLength(3);
    expect(await leader.metrics.text()).toContain('seckill_events{shown="none",role="operator"} 16');
  });

  test.for<Record<string, Sight>>([
    { ...many(5, 'long', 'open all day'), ...many(10, 'past', 'settled') },
    { ...many(15, 'noon', 'at noon'), ...many(15, 'long', 'open all day'), ...many(15, 'later', 'next week') },
    { ...many(30, 'long', 'open all day') },
    { ...many(30, 'past', 'settled') },
    { ...many(30, 'wrong', 'settled, wrong') },
  ])('keep to their series: case %#', async (events) => {
    const leader = leaderAt(MINUTE_MS, events);
    const text = await leader.metrics.text();
    const own = seriesOf(text).filter((line) => line.includes('event="')).length;
    const sales = Object.keys(events).filter((name) => !name.startsWith('later') && leader.view.shows(`shop/${name}`));
    // Two states of orders, paid units, journal and oldest hold of each in full are measured elsewhere.
    const elsewhere = AUDIT_SERIES * sales.length + 5 * leader.view.inFull().length;
    expect(own + elsewhere).toBeLessThanOrEqual(EVENT_SERIES_MAX);
    expect(leader.view.inFull().length).toBeGreaterThanOrEqual(EVENTS_IN_FULL_MIN);
  });
});
