import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { createLatency } from '../../cli/load/latency.ts';
import { OUTCOMES } from '../../cli/load/outcome.ts';
import { type EncodedPlay, mergePlays } from '../../cli/load/result.ts';
import { compareWinners } from '../../cli/report/compare.ts';
import { lagOf } from '../../cli/report/lag.ts';
import { renderPage } from '../../cli/report/page.ts';
import { renderReport } from '../../cli/report/render.ts';
import { buildReport, type ReportParts } from '../../cli/report/report.ts';

const ZERO = { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 };

const STARTED_MS = Date.parse('2026-12-12T12:00:00.000Z');

const playOf = (held: number, soldOut: number): EncodedPlay => {
  const encoded = (count: number) => {
    const latency = createLatency();
    for (let n = 1; n <= count; n += 1) latency.record(n);
    return latency.encode();
  };
  const counts = { held, soldOut, limitExceeded: 0, refused: 0, unknown: 0, failed: 0 };
  return {
    answers: counts,
    latency: Object.fromEntries(
      OUTCOMES.map((outcome) => [outcome, encoded(counts[outcome])]),
    ) as EncodedPlay['latency'],
    winners: Array.from({ length: held }, (_, n) => ({ buyer: `b${n}`, reservationId: `r${n}`, units: 1 })),
    unknownBuyers: [],
    reasons: {},
    requests: held + soldOut,
    retries: 0,
    lag: encoded(1),
    wait: encoded(1),
    utilization: 0.3,
    elapsedMs: 1_000,
    heard: {
      count: held + soldOut,
      atMs: Float64Array.from({ length: held + soldOut }, (_, n) => n * 150),
      latencyMs: Float32Array.from({ length: held + soldOut }, (_, n) => n + 1),
      outcome: Uint8Array.from({ length: held + soldOut }, (_, n) => OUTCOMES.indexOf(n < held ? 'held' : 'soldOut')),
    },
  };
};

const partsOf = (changes: Partial<ReportParts> = {}): ReportParts => {
  const load = mergePlays([playOf(2, 3)]);
  const orders = load.winners.map(({ reservationId, buyer, units }) => ({
    id: reservationId,
    buyer,
    units,
    state: 'PENDING_PAYMENT' as const,
  }));
  return {
    eventKey: 'shop/x',
    eventId: 'shop.x.1',
    options: { units: 2, buyers: 5, pods: 3, seed: 1, unitsPerAttempt: 1, rate: null },
    load,
    orders: { PENDING_PAYMENT: 2 },
    accuracy: ZERO,
    settled: true,
    comparison: compareWinners(load.winners, [], orders),
    auditFindings: [],
    timeline: [{ what: 'Open', at: '2026-12-12T12:00:00.000Z', afterMs: 0 }],
    startedAtMs: STARTED_MS,
    samples: [
      { atMs: STARTED_MS, available: 2, held: 0, committed: 0, ordered: 0 },
      { atMs: STARTED_MS + 200, available: 1, held: 1, committed: 0, ordered: 0 },
      { atMs: STARTED_MS + 400, available: 0, held: 1, committed: 1, ordered: 1 },
      { atMs: STARTED_MS + 600, available: 0, held: 0, committed: 2, ordered: 2 },
    ],
    ...changes,
  };
};

test('the answers over time add up to all answers, each in its stretch', () => {
  const { pulse } = mergePlays([playOf(2, 3), playOf(1, 0)]);
  expect(pulse).toMatchObject({ stepMs: 100 });
  expect(pulse.beats).toHaveLength(10);
  expect(pulse.beats[0]).toMatchObject({ answers: { held: 2, soldOut: 0 }, latencyMs: { p50: 1, p99: 1 } });
  expect(pulse.beats[1]).toMatchObject({ answers: { held: 1, soldOut: 0 }, latencyMs: { p50: 2, p99: 2 } });
  expect(pulse.beats[2]?.latencyMs).toBeNull();
  const told = pulse.beats.flatMap(({ answers }) => Object.values(answers));
  expect(told.reduce((sum, count) => sum + count, 0)).toBe(6);
});

test('a play of a day is told in no more stretches than a chart can show', () => {
  const { pulse } = mergePlays([{ ...playOf(2, 3), elapsedMs: 86_400_000 }]);
  expect(pulse.beats.length).toBeLessThanOrEqual(120);
  expect(pulse.beats[0]?.answers).toMatchObject({ held: 2, soldOut: 3 });
});

test('the lag is the age of the oldest unit that is held and has not arrived', () => {
  const { samples } = partsOf();
  expect(lagOf(samples, ({ committed }) => committed).map(({ lagMs }) => lagMs)).toEqual([0, 0, 0, 0]);
  const late = samples.map((sample) => ({ ...sample, held: sample.held + sample.committed, committed: 0 }));
  expect(lagOf(late, ({ committed }) => committed).map(({ lagMs }) => lagMs)).toEqual([0, 0, 200, 400]);
});

test('report.html shows the verdict, the numbers and four charts, and runs nothing that a title says', () => {
  const page = renderPage(buildReport(partsOf()));
  expect(page).toContain('Exact: every winner');
  expect(page.match(/<svg/g)).toHaveLength(8);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  const bad = renderPage(buildReport(partsOf({ eventKey: '<script>', accuracy: { ...ZERO, drift: 7 } })));
  expect(bad).toContain('&lt;script&gt;');
  expect(bad).toContain('drift is 7');
  expect(bad).not.toContain('Exact: every winner');
});

test('report.json has the fields that other programs read', () => {
  const report = JSON.parse(JSON.stringify(buildReport(partsOf())));
  expect(report).toMatchObject({ event: 'shop/x', units: 2, buyers: 5, pods: 3, seed: 1, exact: true });
  expect(Object.keys(report.answers)).toEqual(['held', 'soldOut', 'limitExceeded', 'refused', 'unknown', 'failed']);
  expect(Object.keys(report.latencyMs)).toEqual(Object.keys(report.answers));
  for (const quantiles of Object.values<Record<string, unknown>>(report.latencyMs)) {
    for (const name of ['p50', 'p90', 'p99', 'p999']) expect(quantiles[name]).toBeTypeOf('number');
  }
  expect(report.orders).toEqual({ PENDING_PAYMENT: 2 });
  expect(report.accuracy).toEqual(ZERO);
});

test.each([
  ['it did not settle', { settled: false }, 'the sale did not settle'],
  ['one of the six numbers is not zero', { accuracy: { ...ZERO, drift: 1 } }, 'drift is 1'],
  [
    'a winner has no order',
    { comparison: compareWinners(mergePlays([playOf(2, 3)]).winners, [], []) },
    'no live order',
  ],
  ['a buyer has no outcome', { load: mergePlays([playOf(2, 2)]) }, '4 outcomes were counted for 5 buyers'],
  ['Prometheus has no numbers of it', { numbersInPrometheus: null }, 'Prometheus has none of the six numbers'],
  ['Prometheus has others', { numbersInPrometheus: { ...ZERO, broken: 2 } }, 'broken is 0, and Prometheus says 2'],
  ['the audit found something', { auditFindings: ['reservation r9 is phantom'] }, 'r9 is phantom'],
] as const)('a sale is not exact when %s, and the report says so', (_name, changes, sentence) => {
  const report = buildReport(partsOf(changes as Partial<ReportParts>));
  expect(report.exact).toBe(false);
  expect(report.findings.join('\n')).toContain(sentence);
  expect(renderReport(report, createColors(false))).toContain('NOT EXACT');
});

test('the printed report has every answer, the six numbers and the verdict', () => {
  const text = renderReport(buildReport(partsOf()), createColors(false));
  for (const words of ['won', 'sold out', 'refused', 'unknown', 'failed', 'p99.9 ms', '2 PENDING_PAYMENT']) {
    expect(text).toContain(words);
  }
  for (const number of Object.keys(ZERO)) expect(text).toContain(number);
  expect(text).toContain('EXACT: every winner has exactly one order');
  expect(text).not.toContain('\u001b[');
});
