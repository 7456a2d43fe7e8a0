import { readFileSync, writeFileSync } from 'node:fs';
import { Eta } from 'eta';
import { OUTCOMES } from '../load/outcome.ts';
import { chartsOf } from './charts.ts';
import type { Report } from './report.ts';
import { ACCURACY_WORDS, grouped, OUTCOME_WORDS } from './words.ts';

/** `report.html`: the report for people who were not there. One file, nothing is loaded from elsewhere. */
export function renderPage(report: Report): string {
  const template = readFileSync(new URL('./page.eta', import.meta.url), 'utf8');
  const { answers, latencyMs, throughput } = report;
  const sellOutMs = sellOutAfterMs(report);
  const tiles = [
    { name: 'buyers', value: grouped(report.buyers) },
    { name: 'units', value: grouped(report.units) },
    { name: 'sold', value: grouped(answers.held * report.unitsPerAttempt) },
    { name: 'requests a second', value: grouped(throughput.requestsPerSecond) },
    { name: 'p99 of those who won', value: answers.held === 0 ? '–' : `${grouped(Math.round(latencyMs.held.p99))} ms` },
    { name: 'sold out after', value: sellOutMs === undefined ? '–' : `${(sellOutMs / 1_000).toFixed(1)} s` },
  ];
  const outcomes = OUTCOMES.filter((outcome) => answers[outcome] > 0).map((outcome) => ({
    ...{ name: OUTCOME_WORDS[outcome], count: grouped(answers[outcome]) },
    times: Object.values(latencyMs[outcome]).map((value) => value.toFixed(1)),
  }));
  const numbers = Object.entries(ACCURACY_WORDS).map(([name, words]) => ({
    ...{ name, words, value: report.accuracy[name as keyof Report['accuracy']] },
  }));
  const orders = Object.entries(report.orders).map(([state, count]) => `${grouped(count ?? 0)} ${state}`);
  const moments = report.timeline.map(({ at, afterMs, what }) => ({
    ...{ at: at.slice(11, 23), after: (afterMs / 1_000).toFixed(1), what },
  }));
  const eta = new Eta({ autoEscape: true });
  return eta.renderString(template, {
    ...{ report, tiles, outcomes, numbers, orders, moments, grouped },
    charts: chartsOf(report),
    day: report.timeline[0]?.at.slice(0, 10) ?? '',
  });
}

export function writePage(file: string, report: Report): void {
  writeFileSync(file, renderPage(report));
}

/** From the first buyer to the first look that found no unit left. */
function sellOutAfterMs({ samples, pulse }: Report): number | undefined {
  const empty = samples.find(({ atMs, available }) => atMs >= pulse.startedAtMs && available === 0);
  return empty === undefined ? undefined : empty.atMs - pulse.startedAtMs;
}
