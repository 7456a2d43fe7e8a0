import { createLatency, type Latency, type Quantiles, readLatency } from './latency.ts';
import { LAG_P99_MAX_MS, UTILIZATION_MAX } from './limits.ts';
import { OUTCOMES, type Outcome } from './outcome.ts';
import type { Play, Winner } from './player.ts';
import { type Pulse, pulseOf } from './pulse.ts';

/** A play with its histograms as text, so that it can travel between threads and processes. */
export interface EncodedPlay extends Omit<Play, 'latency' | 'lag' | 'wait'> {
  latency: Record<Outcome, string>;
  lag: string;
  wait: string;
}

/** What all players together saw. Times in milliseconds. */
export interface LoadResult {
  buyers: number;
  answers: Record<Outcome, number>;
  latencyMs: Record<Outcome, Quantiles>;
  winners: Winner[];
  unknownBuyers: string[];
  reasons: Record<string, number>;
  requests: number;
  retries: number;
  elapsedMs: number;
  requestsPerSecond: number;
  /** The answers over time. */
  pulse: Pulse;
  generator: {
    /** True when its numbers flatter nobody but accuse it: it started late, or had no time left. */
    fellBehind: boolean;
    lagMs: Quantiles;
    connectionWaitMs: Quantiles;
    utilization: number;
    workers: number;
  };
}

export function encodePlay(play: Play): EncodedPlay {
  const latency = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, play.latency[outcome].encode()]));
  return { ...play, latency: latency as Record<Outcome, string>, lag: play.lag.encode(), wait: play.wait.encode() };
}

export function mergePlays(plays: readonly EncodedPlay[]): LoadResult {
  const answers = recordOf((outcome) => sum(plays, (play) => play.answers[outcome]));
  const lag = merged(plays.map((play) => play.lag));
  const elapsedMs = Math.max(0, ...plays.map((play) => play.elapsedMs));
  const requests = sum(plays, (play) => play.requests);
  const utilization = Math.max(0, ...plays.map((play) => play.utilization));
  const lagMs = lag.quantiles();
  return {
    buyers: sum(OUTCOMES, (outcome) => answers[outcome]),
    answers,
    latencyMs: recordOf((outcome) => merged(plays.map((play) => play.latency[outcome])).quantiles()),
    winners: plays.flatMap((play) => play.winners),
    unknownBuyers: plays.flatMap((play) => play.unknownBuyers),
    reasons: mergeCounts(plays.map((play) => play.reasons)),
    requests,
    retries: sum(plays, (play) => play.retries),
    elapsedMs,
    requestsPerSecond: elapsedMs > 0 ? (requests * 1_000) / elapsedMs : 0,
    pulse: pulseOf(
      plays.map((play) => play.heard),
      elapsedMs,
    ),
    generator: {
      fellBehind: lagMs.p99 > LAG_P99_MAX_MS || utilization > UTILIZATION_MAX,
      lagMs,
      connectionWaitMs: merged(plays.map((play) => play.wait)).quantiles(),
      utilization,
      workers: plays.length,
    },
  };
}

function merged(encoded: readonly string[]): Latency {
  const [first, ...rest] = encoded;
  const latency = first === undefined ? createLatency() : readLatency(first);
  for (const text of rest) latency.add(text);
  return latency;
}

function recordOf<T>(read: (outcome: Outcome) => T): Record<Outcome, T> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, read(outcome)])) as Record<Outcome, T>;
}

function sum<T>(items: readonly T[], read: (item: T) => number): number {
  return items.reduce((total, item) => total + read(item), 0);
}

function mergeCounts(counts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const count of counts) {
    for (const [key, value] of Object.entries(count)) all[key] = (all[key] ?? 0) + value;
  }
  return all;
}
