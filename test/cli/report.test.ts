import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { createLatency } from '../../cli/load/latency.ts';
import { OUTCOMES } from '../../cli/load/outcome.ts';
import { type EncodedPlay, mergePlays } from '../../cli/load/result.ts';
import { compareWinners } from '../../cli/report/compare.ts';
import { renderReport } from '../../cli/report/render.ts';
import { buildReport, type ReportParts } from '../../cli/report/report.ts';

const ZERO = { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 };

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
    ...changes,
  };
};

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
