import { writeFileSync } from 'node:fs';
import type { Accuracy } from '../../services/domain/accounting.ts';
import type { OrderState } from '../../services/domain/order.ts';
import type { Quantiles } from '../load/latency.ts';
import { OUTCOMES, type Outcome } from '../load/outcome.ts';
import type { LoadResult } from '../load/result.ts';
import type { Comparison } from './compare.ts';

/** An instant of the sale: a phase that the operator reached, or what the demo did. */
export interface Moment {
  what: string;
  /** ISO 8601. */
  at: string;
  /** Milliseconds since the first moment. */
  afterMs: number;
}

/** Units of the whole sale at one instant: three states in Redis, and those that have an order in the ledger. */
export interface Sample {
  /** Milliseconds since 1970. */
  atMs: number;
  available: number;
  held: number;
  committed: number;
  ordered: number;
}

/**
 * `report.json`. The fields up to `accuracy` are stable: other programs read them (docs/cli.md describes each). Further
 * fields may be added.
 */
export interface Report {
  /** `namespace/name` */
  event: string;
  units: number;
  buyers: number;
  pods: number;
  seed: number;
  exact: boolean;
  answers: Record<Outcome, number>;
  latencyMs: Record<Outcome, Quantiles>;
  orders: Partial<Record<OrderState, number>>;
  accuracy: Accuracy;
  eventId: string;
  unitsPerAttempt: number;
  /** Buyers a second; null for a burst. */
  rate: number | null;
  timeline: Moment[];
  throughput: { requests: number; retries: number; elapsedMs: number; requestsPerSecond: number };
  reasons: Record<string, number>;
  generator: LoadResult['generator'];
  /** The answers over time, from `startedAtMs` on, the intended start of the first buyer. */
  pulse: LoadResult['pulse'] & { startedAtMs: number };
  samples: Sample[];
  /** The six numbers as Prometheus has them; null without Prometheus, or when it has none. */
  accuracyInPrometheus: Accuracy | null;
  winners: Omit<Comparison, 'findings'>;
  /** Why it is not exact, a sentence each; empty when it is. */
  findings: string[];
}

export interface ReportParts {
  eventKey: string;
  eventId: string;
  options: { units: number; buyers: number; pods: number; seed: number; unitsPerAttempt: number; rate: number | null };
  load: LoadResult;
  orders: Partial<Record<OrderState, number>>;
  accuracy: Accuracy;
  settled: boolean;
  comparison: Comparison;
  auditFindings: readonly string[];
  timeline: Moment[];
  startedAtMs: number;
  samples: Sample[];
  /** Null when it has none; absent where no Prometheus watches. */
  numbersInPrometheus?: Accuracy | null | undefined;
}

/** A sale is exact when it settled, all six numbers are zero, every winner has his order, and every buyer is counted. */
export function buildReport(parts: ReportParts): Report {
  const { load, options, comparison, accuracy } = parts;
  const findings = [
    ...(parts.settled ? [] : ['the sale did not settle']),
    ...Object.entries(accuracy).flatMap(([name, value]) => (value === 0 ? [] : [`${name} is ${value}`])),
    ...toldFindings(accuracy, parts.numbersInPrometheus),
    ...countingFindings(load, options.buyers),
    ...comparison.findings,
    ...parts.auditFindings,
  ];
  const { findings: _sentences, ...winners } = comparison;
  return {
    event: parts.eventKey,
    units: options.units,
    buyers: options.buyers,
    pods: options.pods,
    seed: options.seed,
    exact: findings.length === 0 && comparison.exact,
    answers: load.answers,
    latencyMs: load.latencyMs,
    orders: parts.orders,
    accuracy,
    eventId: parts.eventId,
    unitsPerAttempt: options.unitsPerAttempt,
    rate: options.rate,
    timeline: parts.timeline,
    throughput: {
      requests: load.requests,
      retries: load.retries,
      elapsedMs: Math.round(load.elapsedMs),
      requestsPerSecond: Math.round(load.requestsPerSecond),
    },
    reasons: load.reasons,
    generator: load.generator,
    pulse: { ...load.pulse, startedAtMs: parts.startedAtMs },
    samples: parts.samples,
    accuracyInPrometheus: parts.numbersInPrometheus ?? null,
    winners,
    findings,
  };
}

/** Whoever watches the sale in Prometheus must see what the audit says. */
function toldFindings(accuracy: Accuracy, told: Accuracy | null | undefined): string[] {
  if (told === undefined) return [];
  if (told === null) return ['Prometheus has none of the six numbers'];
  const names = Object.keys(accuracy) as (keyof Accuracy)[];
  return names
    .filter((name) => told[name] !== accuracy[name])
    .map((name) => `${name} is ${accuracy[name]}, and Prometheus says ${told[name]}`);
}

/** The generator's own books: each buyer has one outcome, each "held" has its winner. */
function countingFindings(load: LoadResult, buyers: number): string[] {
  const counted = OUTCOMES.reduce((sum, outcome) => sum + load.answers[outcome], 0);
  return [
    ...(counted === buyers ? [] : [`${counted} outcomes were counted for ${buyers} buyers`]),
    ...(load.answers.held === load.winners.length
      ? []
      : [`${load.answers.held} buyers won, ${load.winners.length} of them are on record`]),
  ];
}

export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}
