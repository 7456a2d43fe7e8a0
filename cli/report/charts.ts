import { init } from 'echarts';
import type { Outcome } from '../load/outcome.ts';
import { lagOf } from './lag.ts';
import type { Report, Sample } from './report.ts';
import { OUTCOME_WORDS } from './words.ts';

export interface Chart {
  title: string;
  /** What a reader sees in it, in a sentence. */
  caption: string;
  /** SVG texts for a wide and for a narrow page. */
  wide: string;
  narrow: string;
}

const OUTCOME_COLORS: Record<Outcome, string> = {
  held: '#15803d',
  soldOut: '#94a3b8',
  limitExceeded: '#a16207',
  refused: '#c2410c',
  unknown: '#7c3aed',
  failed: '#b91c1c',
};
const TARGET_P99_MS = 50;
const [WIDE_PX, NARROW_PX, HEIGHT_PX] = [980, 360, 300];

type Point = [seconds: number, value: number];

interface Line {
  name: string;
  color: string;
  points: Point[];
  stack?: string;
  stepped?: boolean;
}

/** The sale over time: what buyers heard, how fast, where the units were, and how far the orders were behind. */
export function chartsOf(report: Report): Chart[] {
  const { pulse, samples } = report;
  const from = pulse.startedAtMs;
  const ofSale = samples.filter(({ atMs }) => atMs >= from - LEAD_MS);
  return [answers(report), latencies(report), stock(ofSale, from), lag(ofSale, from)];
}

/** The stock is shown from shortly before the first buyer on. */
const LEAD_MS = 2_000;

function answers({ pulse, answers: totals }: Report): Chart {
  const told = (Object.keys(totals) as Outcome[]).filter((outcome) => totals[outcome] > 0);
  const lines = told.map((outcome) => ({
    name: OUTCOME_WORDS[outcome],
    color: OUTCOME_COLORS[outcome],
    stack: 'all',
    points: pulse.beats.map(
      (beat, index): Point => [middle(index, pulse.stepMs), (beat.answers[outcome] * 1_000) / pulse.stepMs],
    ),
  }));
  const caption = 'Definite answers a second, one colour for each kind; seconds since the first buyer.';
  return draw('Answers a second', caption, lines);
}

function latencies({ pulse }: Report): Chart {
  const points = (read: 'p50' | 'p99'): Point[] =>
    pulse.beats.flatMap(({ latencyMs }, index): Point[] =>
      latencyMs === null ? [] : [[middle(index, pulse.stepMs), round(latencyMs[read])]],
    );
  const lines = [
    { name: 'p50', color: '#0369a1', points: points('p50') },
    { name: 'p99', color: '#be123c', points: points('p99') },
  ];
  const caption = `From the moment a buyer meant to come to his definite answer; the dashed line is the target of ${TARGET_P99_MS} ms at p99.`;
  return draw('Latency in milliseconds', caption, lines, TARGET_P99_MS);
}

function stock(samples: readonly Sample[], fromMs: number): Chart {
  const points = (read: 'available' | 'held' | 'committed'): Point[] =>
    samples.map((sample) => [seconds(sample.atMs, fromMs), sample[read]]);
  const lines = [
    { name: 'committed', color: '#15803d', stack: 'units', stepped: true, points: points('committed') },
    { name: 'held', color: '#f59e0b', stack: 'units', stepped: true, points: points('held') },
    { name: 'available', color: '#cbd5e1', stack: 'units', stepped: true, points: points('available') },
  ];
  const caption = 'Units in Redis: available, held by a buyer, committed once their order is in the ledger.';
  return draw('Stock in units', caption, lines);
}

function lag(samples: readonly Sample[], fromMs: number): Chart {
  const line = (name: string, color: string, read: (sample: Sample) => number): Line => ({
    ...{ name, color },
    points: lagOf(samples, read).map(({ atMs, lagMs }) => [seconds(atMs, fromMs), round(lagMs / 1_000)]),
  });
  const lines = [
    line('order row in the ledger', '#0369a1', ({ ordered }) => ordered),
    line('commit in Redis', '#7c3aed', ({ committed }) => committed),
  ];
  const caption = 'Age of the oldest unit that a buyer holds and that has not come so far yet, by counting.';
  return draw('How far orders are behind, in seconds', caption, lines);
}

function draw(title: string, caption: string, lines: readonly Line[], target?: number): Chart {
  const at = (width: number): string => render(width, lines, target);
  return { title, caption, wide: at(WIDE_PX), narrow: at(NARROW_PX) };
}

function render(width: number, lines: readonly Line[], target: number | undefined): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height: HEIGHT_PX });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { left: 56, right: 16, top: 36, bottom: 32 },
      // Without a screen texts are measured too short: the gap makes up for it.
      legend: { top: 4, left: 0, itemWidth: 14, itemHeight: 8, itemGap: 28, selectedMode: false },
      xAxis: {
        ...{ type: 'value', min: 'dataMin', max: 'dataMax', splitNumber: width === WIDE_PX ? 8 : 4 },
        axisLabel: { formatter: secondsLabel, showMinLabel: false, showMaxLabel: false },
        axisLine: { onZero: false },
      },
      yAxis: { type: 'value', min: 0, splitNumber: 4, axisLine: { onZero: false } },
      series: lines.map(({ name, color, points, stack, stepped }, index) => ({
        ...{ type: 'line', name, color, data: points, symbol: points.length === 1 ? 'circle' : 'none' },
        ...{ lineStyle: { width: stack === undefined ? 2 : 1 }, step: stepped === true ? 'end' : false },
        ...(stack === undefined ? {} : { stack, areaStyle: { opacity: 0.75 } }),
        ...(target !== undefined && index === 0 ? { markLine: markLineAt(target) } : {}),
      })),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function markLineAt(target: number): object {
  const lineStyle = { color: '#64748b', type: 'dashed' };
  return { silent: true, symbol: 'none', data: [{ yAxis: target }], lineStyle, label: { show: false } };
}

const secondsLabel = (value: number): string => `${Number(value.toFixed(1))} s`;
const middle = (beat: number, stepMs: number): number => round(((beat + 0.5) * stepMs) / 1_000);
const seconds = (atMs: number, fromMs: number): number => round((atMs - fromMs) / 1_000);
const round = (value: number): number => Math.round(value * 100) / 100;
