import Table from 'cli-table3';
import type { Colors } from 'picocolors/types.js';
import type { Accuracy } from '../../services/domain/accounting.ts';
import type { Quantiles } from '../load/latency.ts';
import { OUTCOMES, type Outcome } from '../load/outcome.ts';
import type { LoadResult } from '../load/result.ts';
import type { Report } from './report.ts';
import { ACCURACY_WORDS, grouped, OUTCOME_WORDS } from './words.ts';

/** The report as people read it, in plain text. */
export function renderReport(report: Report, colors: Colors): string {
  const sections = [
    heading(colors, `Sale ${report.event} (${report.eventId})`),
    renderTimeline(report),
    heading(colors, 'Answers'),
    renderAnswers(report.answers, report.latencyMs),
    throughputLine(report.throughput, report.generator),
    heading(colors, 'Orders in the ledger'),
    renderOrders(report),
    heading(colors, 'Accuracy'),
    renderAccuracy(report.accuracy, colors, report.accuracyInPrometheus),
    verdict(report, colors),
  ];
  return `${sections.join('\n')}\n`;
}

export function renderLoad(load: LoadResult, colors: Colors): string {
  const reasons = Object.entries(load.reasons).toSorted(([, one], [, other]) => other - one);
  const table = plainTable(['heard', 'times']);
  for (const [reason, count] of reasons) table.push([reason, grouped(count)]);
  return `${[
    heading(colors, 'Answers'),
    renderAnswers(load.answers, load.latencyMs),
    throughputLine(load, load.generator),
    heading(colors, 'What the buyers heard'),
    table.toString(),
  ].join('\n')}\n`;
}

function renderAnswers(answers: Record<Outcome, number>, latencyMs: Record<Outcome, Quantiles>): string {
  const table = plainTable(['answer', 'buyers', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms']);
  for (const outcome of OUTCOMES) {
    const count = answers[outcome];
    const { p50, p90, p99, p999, max } = latencyMs[outcome];
    const times = [p50, p90, p99, p999, max].map((value) => (count === 0 ? '' : value.toFixed(1)));
    table.push([OUTCOME_WORDS[outcome], grouped(count), ...times]);
  }
  return table.toString();
}

/** With `told` also the numbers as Prometheus has them. */
export function renderAccuracy(accuracy: Accuracy, colors: Colors, told: Accuracy | null = null): string {
  const table = plainTable(['number', 'value', ...(told === null ? [] : ['prometheus']), 'counts']);
  for (const [name, words] of Object.entries(ACCURACY_WORDS)) {
    const value = accuracy[name as keyof Accuracy];
    const shown = [value, ...(told === null ? [] : [told[name as keyof Accuracy]])];
    table.push([name, ...shown.map((one) => (one === 0 ? colors.green('0') : colors.red(grouped(one)))), words]);
  }
  return table.toString();
}

function renderTimeline(report: Report): string {
  const table = plainTable(['time (UTC)', 'after s', 'what']);
  for (const { what, at, afterMs } of report.timeline) {
    table.push([at.slice(11, 23), (afterMs / 1_000).toFixed(1), what]);
  }
  return table.toString();
}

function renderOrders(report: Report): string {
  const states = Object.entries(report.orders).map(([state, count]) => `${grouped(count ?? 0)} ${state}`);
  const { winners, matched, ofUnknown } = report.winners;
  return [
    states.length === 0 ? 'none' : states.join(', '),
    `${grouped(winners)} buyers were told that they won; ${grouped(matched)} of them have exactly one order of their own.`,
    ...(ofUnknown === 0 ? [] : [`${grouped(ofUnknown)} orders belong to buyers whose last answer was lost.`]),
  ].join('\n');
}

function throughputLine(
  throughput: Pick<LoadResult, 'requests' | 'retries' | 'elapsedMs' | 'requestsPerSecond'>,
  generator: LoadResult['generator'],
): string {
  const { requests, retries, elapsedMs, requestsPerSecond } = throughput;
  const lines = [
    `${grouped(requests)} requests (${grouped(retries)} of them retries) in ${(elapsedMs / 1_000).toFixed(1)} s: ` +
      `${grouped(Math.round(requestsPerSecond))} requests/s. Latency runs from the intended start.`,
  ];
  if (generator.fellBehind) {
    lines.push(
      `The load generator fell behind itself (starts late by ${generator.lagMs.p99.toFixed(1)} ms at p99, busy ` +
        `${Math.round(generator.utilization * 100)} % of the time): part of the latency is its own.`,
    );
  }
  return lines.join('\n');
}

function verdict(report: Report, colors: Colors): string {
  if (report.exact)
    return colors.green(colors.bold('\nEXACT: every winner has exactly one order, and all six numbers are zero.'));
  return [colors.red(colors.bold('\nNOT EXACT:')), ...report.findings.map((sentence) => `  - ${sentence}`)].join('\n');
}

function heading(colors: Colors, text: string): string {
  return `\n${colors.bold(text)}`;
}

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A table without lines: it can be read in a log and pasted into a ticket. */
export function plainTable(head: readonly string[]): Table.Table {
  return new Table({
    head: [...head],
    chars: NO_BORDER,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((name, index) => (index > 0 && !WORDY.has(name) ? 'right' : 'left')),
  });
}

const WORDY: ReadonlySet<string> = new Set(['counts', 'what']);
