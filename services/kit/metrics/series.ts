import assert from 'node:assert/strict';
import type { Metric } from 'prom-client';
import type { MetricSpec } from './catalogue.ts';
import { SERIES_PER_METRIC_MAX } from './limits.ts';

/*
 * The library's counters and histograms cost a microsecond for each count, most of it for their labels. What is counted
 * for each request is counted in plain numbers instead, and brought into the library's shape when somebody reads.
 */

/** One series of a counter. Whoever counts often keeps it, and adds to it. */
export interface Cell {
  count: number;
}

export interface Tally {
  /** `label` is the value of the counter's one label; a counter without labels takes ''. */
  add(label: string, count?: number): void;
  /** The series of these label values, in the order of the catalogue. */
  cell(...labels: string[]): Cell;
}

export interface Timing {
  /** `label` is the value of the histogram's one label. `count`: so many of the same value. */
  observe(value: number, label?: string, count?: number): void;
}

/** Label values in the order of the catalogue, and the value. */
export type Sample = readonly [labels: readonly string[], value: number];

/** A metric as the library's registry reads it. */
export interface Readable {
  metric: Metric;
}

interface Line {
  metricName?: string;
  labels: Record<string, string | number>;
  value: number;
}

/** Of a metric that the registry asks for its lines. The library names its own classes here, and calls only `get`. */
function readable(spec: MetricSpec, lines: () => Line[]): Metric {
  const { name, help, type } = spec;
  const get = async () => ({ name, help, type, aggregator: 'sum', values: lines() });
  return { name, help, get } as unknown as Metric;
}

function labelsOf(spec: MetricSpec, values: readonly string[]): Record<string, string> {
  assert(values.length === spec.labels.length, `${spec.name} has the labels ${spec.labels.join(', ')}`);
  return Object.fromEntries(spec.labels.map((label, index) => [label, values[index] ?? '']));
}

/** Series by their label values. Beyond the bound all further ones are one, called `other`: nothing grows for ever. */
function createCells<T>(spec: MetricSpec, make: () => T) {
  const cells = new Map<string, { labels: Record<string, string>; cell: T }>();
  function cellOf(values: readonly string[]): T {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n');
    const known = cells.get(key);
    if (known !== undefined) return known.cell;
    const other = spec.labels.map(() => 'other');
    if (cells.size >= SERIES_PER_METRIC_MAX - 1 && key !== other.join('\n')) return cellOf(other);
    const made = { labels: labelsOf(spec, values), cell: make() };
    cells.set(key, made);
    return made.cell;
  }
  return { cellOf, all: () => cells.values() };
}

export function createTally(spec: MetricSpec): Tally & Readable {
  const cells = createCells<Cell>(spec, () => ({ count: 0 }));
  // A counter without labels is shown from the beginning, so that its first count is an increase.
  if (spec.labels.length === 0) cells.cellOf([]);
  return {
    cell: (...labels) => cells.cellOf(labels),
    add(label, count = 1) {
      cells.cellOf(spec.labels.length === 0 ? [] : [label]).count += count;
    },
    metric: readable(spec, () => [...cells.all()].map(({ labels, cell }) => ({ labels, value: cell.count }))),
  };
}

export function createTiming(spec: MetricSpec): Timing & Readable {
  const { name, buckets = [] } = spec;
  const cells = createCells(spec, () => ({ counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 }));
  if (spec.labels.length === 0) cells.cellOf([]);

  function linesOf(labels: Record<string, string>, counts: readonly number[], sum: number): Line[] {
    let total = 0;
    const lines: Line[] = counts.map((count, index) => {
      total += count;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: buckets[index] ?? '+Inf' }, value: total };
    });
    lines.push(
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    );
    return lines;
  }

  return {
    observe(value, label, count = 1) {
      const cell = cells.cellOf(label === undefined ? [] : [label]);
      let index = 0;
      while (index < buckets.length && value > (buckets[index] as number)) index += 1;
      cell.counts[index] = (cell.counts[index] as number) + count;
      cell.sum += value * count;
    },
    metric: readable(spec, () =>
      [...cells.all()].flatMap(({ labels, cell }) => linesOf(labels, cell.counts, cell.sum)),
    ),
  };
}

/** A value that is known elsewhere, and asked for when somebody reads. `undefined` is not shown. */
export function createReading(spec: MetricSpec, read: () => number | undefined | Iterable<Sample>): Metric {
  return readable(spec, () => {
    const found = read();
    if (found === undefined) return [];
    if (typeof found === 'number') return [{ labels: labelsOf(spec, []), value: found }];
    return [...found].map(([labels, value]) => ({ labels: labelsOf(spec, labels), value }));
  });
}
