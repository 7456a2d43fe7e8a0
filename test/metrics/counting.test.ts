import { describe, expect, test } from 'vitest';
import { createLagAge } from '../../operator/effects/metrics/lag-age.ts';
import { SERIES_PER_METRIC_MAX } from '../../services/kit/metrics/limits.ts';
import { createPeak } from '../../services/kit/metrics/peak.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { seriesOf } from './promtool.ts';

describe('the peak of any one second', () => {
  /** So many within the second that begins at `fromMs`, evenly. */
  const rush = (peak: ReturnType<typeof createPeak>, fromMs: number, count: number): void => {
    for (let index = 0; index < count; index += 1) peak.add(fromMs + (index * 999) / count);
  };

  test('is seen whole wherever the second begins', () => {
    for (const fromMs of [10_000, 10_500, 10_901]) {
      const peak = createPeak();
      rush(peak, fromMs, 5_000);
      const seen = peak.read(12_000);
      expect(seen).toBeGreaterThanOrEqual(4_500);
      expect(seen).toBeLessThanOrEqual(5_000);
    }
  });

  test('is not made of two seconds', () => {
    const peak = createPeak();
    for (let second = 10; second < 14; second += 1) rush(peak, second * 1_000, 100);
    expect(peak.read(14_000)).toBeLessThanOrEqual(110);
  });

  test('is told to two scrapers that come within five seconds, and is over after that', () => {
    const peak = createPeak();
    rush(peak, 10_000, 700);
    expect(peak.read(11_500)).toBeGreaterThan(600);
    expect(peak.read(12_500)).toBeGreaterThan(600);
    expect(peak.read(30_000)).toBe(0);
    rush(peak, 31_000, 3);
    expect(peak.read(33_000)).toBeLessThanOrEqual(3);
  });

  test('waits for a scraper that comes seldom', () => {
    const peak = createPeak();
    rush(peak, 10_000, 700);
    expect(peak.read(70_000)).toBeGreaterThan(600);
  });
});

describe('the age of the lag', () => {
  const at = (offset: bigint) => new Map([[0, offset]]);

  test('is since when there has been more than was taken', () => {
    const age = createLagAge();
    expect(age.measure(at(10n), at(10n), 0)).toEqual({ messages: 0, seconds: 0 });
    expect(age.measure(at(20n), at(10n), 2_000)).toEqual({ messages: 10, seconds: 0 });
    expect(age.measure(at(30n), at(10n), 4_000)).toEqual({ messages: 20, seconds: 2 });
    // What came first was taken: the oldest that is left came at 4 s.
    expect(age.measure(at(30n), at(20n), 9_000)).toEqual({ messages: 10, seconds: 5 });
    expect(age.measure(at(30n), at(30n), 11_000)).toEqual({ messages: 0, seconds: 0 });
    expect(age.measure(at(31n), at(30n), 60_000)).toEqual({ messages: 1, seconds: 0 });
  });

  test('counts from the beginning where the group never took anything', () => {
    expect(createLagAge().measure(at(7n), new Map(), 0).messages).toBe(7);
  });
});

describe('what a process counts', () => {
  test('has a bound of series: what comes beyond is counted together', async () => {
    const metrics = createMetrics({ role: 'test' });
    const tally = metrics.tally('redisErrors');
    for (let index = 0; index < 5_000; index += 1) tally.cell('reserve', `ERR${index}`).count += 1;
    const series = seriesOf(await metrics.text()).filter((one) => one.startsWith('seckill_redis_errors_total'));
    expect(series).toHaveLength(SERIES_PER_METRIC_MAX);
    const other = 'seckill_redis_errors_total{call="other",error="other",role="test"}';
    expect(await metrics.text()).toContain(`${other} ${5_000 - SERIES_PER_METRIC_MAX + 1}\n`);
  });

  test('puts a value into the bucket whose bound it does not exceed', async () => {
    const metrics = createMetrics({ role: 'test' });
    const seconds = metrics.histogram('requestSeconds');
    for (const value of [0.05, 0.0500001, 7]) seconds.observe(value, 'reserve');
    const text = await metrics.text();
    const bucket = (le: string): string =>
      `seckill_request_duration_seconds_bucket{route="reserve",le="${le}",role="test"}`;
    expect(text).toContain(`${bucket('0.03')} 0\n`);
    expect(text).toContain(`${bucket('0.05')} 1\n`);
    expect(text).toContain(`${bucket('0.075')} 2\n`);
    expect(text).toContain(`${bucket('+Inf')} 3\n`);
    expect(text).toContain('seckill_request_duration_seconds_count{route="reserve",role="test"} 3\n');
  });
});
