import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS, type MetricSpec } from '../../services/kit/metrics/catalogue.ts';
import { renderMetricsReference } from './reference.ts';

const specs: MetricSpec[] = Object.values(METRICS);

describe('the catalogue of metrics', () => {
  it('is what docs/metrics.md says', async () => {
    await expect(renderMetricsReference()).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/metrics.md'));
  });

  it('names each metric once, and by the rules of Prometheus', () => {
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length);
    for (const { name, type } of specs) {
      expect(name).toMatch(/^seckill_[a-z_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  it('has no label that could hold a buyer or a reservation', () => {
    const labels = new Set(specs.flatMap((spec) => spec.labels));
    for (const label of labels) expect(label).not.toMatch(/buyer|user|reservation|order|id$/);
  });

  it('has at most 12 buckets a histogram, and 50 ms among the bounds of answers', () => {
    for (const { name, type, buckets } of specs) {
      expect(buckets === undefined, name).toBe(type !== 'histogram');
      if (buckets !== undefined) expect(buckets.length + 1, name).toBeLessThanOrEqual(12);
    }
    expect(METRICS.requestSeconds.buckets).toContain(0.05);
  });

  it('names an event only in series of the leader, except the answers of its pods', () => {
    const others = specs.filter(({ labels, by }) => labels.includes('event') && by !== 'leader');
    expect(others.map(({ name }) => name)).toEqual(['seckill_reservation_answers_total']);
  });
});
