import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLatency, readLatency } from '../../cli/load/latency.ts';

const recorded = (durationsMs: readonly number[]) => {
  const latency = createLatency();
  for (const durationMs of durationsMs) latency.record(durationMs);
  return latency;
};

test('histograms of several workers merge to the histogram of all their values', () => {
  const durations = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { maxLength: 200 });
  fc.assert(
    fc.property(durations, durations, (one, other) => {
      const merged = readLatency(recorded(one).encode());
      merged.add(recorded(other).encode());
      const all = recorded([...one, ...other]);
      expect(merged.count()).toBe(one.length + other.length);
      expect(merged.quantiles()).toEqual(all.quantiles());
    }),
    { numRuns: 50 },
  );
});

test('quantiles are within a thousandth of the exact ones', () => {
  const latency = recorded(Array.from({ length: 1_000 }, (_, index) => index + 1));
  const { p50, p90, p99, p999, max } = latency.quantiles();
  for (const [is, exact] of [
    [p50, 500],
    [p90, 900],
    [p99, 990],
    [p999, 999],
    [max, 1_000],
  ] as const) {
    expect(Math.abs(is - exact)).toBeLessThanOrEqual(exact / 1_000);
  }
});

test('a duration beyond the range is kept as the longest, and nothing recorded is zero', () => {
  expect(recorded([1e12]).quantiles().max).toBeGreaterThan(20 * 60_000 * 0.99);
  expect(createLatency().quantiles()).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
});
