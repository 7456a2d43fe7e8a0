import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { LATENCY_DIGITS, LATENCY_MAX_MICROS } from './limits.ts';

/** Quantiles in milliseconds, three decimals; all 0 when nothing was recorded. */
export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** A mergeable HDR histogram of durations. */
export interface Latency {
  record(durationMs: number): void;
  count(): number;
  quantiles(): Quantiles;
  /** Text that `readLatency` takes, in another thread or process too. */
  encode(): string;
  /** Adds what another histogram has recorded. */
  add(encoded: string): void;
}

export function createLatency(): Latency {
  return wrap(
    build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: LATENCY_MAX_MICROS,
      numberOfSignificantValueDigits: LATENCY_DIGITS,
    }),
  );
}

export function readLatency(encoded: string): Latency {
  const latency = createLatency();
  latency.add(encoded);
  return latency;
}

function wrap(histogram: Histogram): Latency {
  return {
    record: (durationMs) => {
      const micros = Math.round(durationMs * 1_000);
      histogram.recordValue(Math.min(Math.max(micros, 1), LATENCY_MAX_MICROS));
    },
    count: () => histogram.totalCount,
    quantiles: () => ({
      p50: histogram.getValueAtPercentile(50) / 1_000,
      p90: histogram.getValueAtPercentile(90) / 1_000,
      p99: histogram.getValueAtPercentile(99) / 1_000,
      p999: histogram.getValueAtPercentile(99.9) / 1_000,
      max: histogram.getValueAtPercentile(100) / 1_000,
    }),
    encode: () => encodeIntoCompressedBase64(histogram),
    add: (encoded) => histogram.add(decodeFromCompressedBase64(encoded)),
  };
}
