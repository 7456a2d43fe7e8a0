import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { RegistryEntry } from '../../lua/registry.ts';
import { HINT_MAX_AGE_MS } from '../../services/domain/limits.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createEventAnswers } from '../../services/seckill/event-answers.ts';
import { createHints } from '../../services/seckill/hints.ts';
import { COUNTED_BEFORE_OPENING_MS, EVENTS_COUNTED_MAX } from '../../services/seckill/limits.ts';
import { followRegistry, type RegistryReading, type RegistryView } from '../../services/seckill/registry-view.ts';
import { eventually } from '../support/eventually.ts';

/** What a pod makes of time and of the registry, with both in our hands. */

const log = pino({ level: 'silent' });
const HOUR_MS = 3_600_000;

function createHandClock() {
  const clock = {
    wallMs: 1_764_000_000_000,
    runMs: 5_000,
    nowMs: () => clock.wallMs,
    monotonicMs: () => clock.runMs,
    passMs(ms: number): void {
      clock.wallMs += ms;
      clock.runMs += ms;
    },
  };
  return clock;
}

const entryOf = (name: string, aroundMs: number): RegistryEntry => ({
  ...{ eventId: `shop.${name}.1`, namespace: 'shop', name, edition: 1, buckets: 1, runs: ['run'], generation: 1 },
  ...{ revision: 1, startMs: aroundMs - HOUR_MS, endMs: aroundMs + HOUR_MS, unitsPerBuyer: 1, pool: '' },
  product: { sku: 'X', title: 'X', priceMinor: 1, currency: 'EUR' },
});

const viewOf = (entries: Map<string, RegistryEntry>, redisNowMs: () => number): RegistryView => ({
  known: () => true,
  find: (key) => entries.get(key),
  keys: () => entries.keys(),
  redisNowMs,
  ageMs: () => 0,
});

describe('a wall clock that is set back', () => {
  it('makes no hint live longer', () => {
    const clock = createHandClock();
    const entry = entryOf('phone', clock.wallMs);
    const registry = viewOf(new Map(), () => entry.startMs + 1);
    const stock = { snapshot: async () => ({ status: 'missing' as const }) };
    const hints = createHints({ stock, registry, clock });
    hints.learn(entry, 0, 0, clock.monotonicMs());
    clock.wallMs -= HOUR_MS;
    expect(hints.unitsLeft(entry, 0)).toBe(0);
    clock.passMs(HINT_MAX_AGE_MS + 1);
    expect(hints.unitsLeft(entry, 0)).toBeUndefined();
    hints.close();
  });
});

describe('the clock of Redis, as a pod knows it', () => {
  it('is that of the sharpest reading, until one contradicts it', async () => {
    const clock = createHandClock();
    const readings: [offsetMs: number, roundTripMs: number][] = [];
    let heard = 0;
    const view = followRegistry({
      read: async (): Promise<RegistryReading> => {
        const [offsetMs, roundTripMs] = readings.shift() ?? [0, 0];
        return { offsetMs, roundTripMs, run: 'run', entries: new Map() };
      },
      onReading: () => {
        heard += 1;
      },
      ...{ clock, log },
    });
    const offsetAfter = async (offsetMs: number, roundTripMs: number): Promise<number> => {
      readings.push([offsetMs, roundTripMs]);
      const before = heard;
      view.refresh();
      await eventually(() => heard > before);
      return view.redisNowMs() - clock.monotonicMs();
    };
    await eventually(() => heard === 1);
    const rows: [offsetMs: number, roundTripMs: number, known: number][] = [
      [1_000, 40, 1_000],
      [1_010, 10, 1_010],
      // Held up on one of its two ways: worse than what is known, and no contradiction to it.
      [1_400, 900, 1_010],
      [1_013, 12, 1_010],
      // A clock was set: no error of this reading explains the difference.
      [3_000, 100, 3_000],
    ];
    for (const [offsetMs, roundTripMs, known] of rows) expect(await offsetAfter(offsetMs, roundTripMs)).toBe(known);
    clock.wallMs -= HOUR_MS;
    expect(view.redisNowMs() - clock.monotonicMs(), 'the wall clock has no part in it').toBe(3_000);
    await view.stop();
  });
});

it('a sale that is over leaves its place among those that are counted by name', async () => {
  const nowMs = 1_764_000_000_000;
  const entries = new Map<string, RegistryEntry>();
  const metrics = createMetrics({ role: 'seckill' });
  const answers = createEventAnswers({ metrics, registry: viewOf(entries, () => nowMs) });
  const counted = async (): Promise<string[]> => {
    const text = await metrics.text();
    return [...new Set([...text.matchAll(/event="([^"]+)"/g)].map(([, event]) => event ?? ''))];
  };
  const names = Array.from({ length: EVENTS_COUNTED_MAX + 1 }, (_, index) => `sale-${index}`);
  for (const name of names.slice(0, -1)) entries.set(`shop/${name}`, entryOf(name, nowMs + COUNTED_BEFORE_OPENING_MS));
  for (const name of names.slice(0, -1)) answers.add(`shop/${name}`, 'held');
  answers.add(`shop/${names.at(-1)}`, 'held');
  expect(await counted()).toContain('other');
  entries.delete('shop/sale-0');
  entries.set(`shop/${names.at(-1)}`, entryOf(names.at(-1) ?? '', nowMs));
  expect(await counted()).not.toContain('shop/sale-0');
  answers.add(`shop/${names.at(-1)}`, 'held');
  expect(await counted()).toContain(`shop/${names.at(-1)}`);
});
