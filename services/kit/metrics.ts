import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { type CounterName, type GaugeName, type HistogramName, METRICS } from './metrics/catalogue.ts';
import {
  createReading,
  createTally,
  createTiming,
  type Readable,
  type Sample,
  type Tally,
  type Timing,
} from './metrics/series.ts';

/** What a process shows of itself at /metrics. Names, help, labels and buckets are in metrics/catalogue.ts. */
export interface Metrics {
  readonly contentType: string;
  /** All of it, as Prometheus reads it. */
  text(): Promise<string>;
  /** Adds what another program tells in the same format. */
  append(text: () => Promise<string>): void;
  /** A counter that is counted here. The same one whenever it is asked for. */
  tally(name: CounterName): Tally;
  histogram(name: HistogramName): Timing;
  /** A value that is known elsewhere; read at each scrape. Named again, the later reader counts. */
  gauge(name: GaugeName, read: () => number | undefined | Iterable<Sample>): void;
  /** A count that is kept elsewhere and never goes down, read in the same way. */
  counter(name: CounterName, read: () => number | undefined | Iterable<Sample>): void;
}

/**
 * Of what the library tells of Node by itself: what has a series for each kind of handle or part of the heap says little
 * for many series, and some names are against the rules of Prometheus.
 */
const NOT_SHOWN = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
];
/** A pause that an answer within 50 ms can feel. */
const GC_SECONDS = [0.01];

export function createMetrics({ role }: { role: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry, gcDurationBuckets: GC_SECONDS });
  for (const name of NOT_SHOWN) registry.removeSingleMetric(name);
  const made = new Map<string, Tally | Timing>();
  const appended: (() => Promise<string>)[] = [];

  function once<T extends (Tally | Timing) & Readable>(name: string, make: () => T): T {
    const known = made.get(name) as T | undefined;
    if (known !== undefined) return known;
    const fresh = make();
    made.set(name, fresh);
    registry.registerMetric(fresh.metric);
    return fresh;
  }

  function read(metric: Metric, name: string): void {
    registry.removeSingleMetric(name);
    registry.registerMetric(metric);
  }

  return {
    contentType: registry.contentType,
    text: async () => (await Promise.all([registry.metrics(), ...appended.map((text) => text())])).join(''),
    append: (text) => void appended.push(text),
    tally: (name) => once(name, () => createTally(METRICS[name])),
    histogram: (name) => once(name, () => createTiming(METRICS[name])),
    gauge: (name, reader) => read(createReading(METRICS[name], reader), METRICS[name].name),
    counter: (name, reader) => read(createReading(METRICS[name], reader), METRICS[name].name),
  };
}
