import * as units from '@grafana/grafana-foundation-sdk/units';
import { CALM, type Color, graph, type PlacedPanel, type Query } from './panels.ts';
import { series } from './series.ts';

/** What more than one dashboard shows, in the same words. */

/** Names of the six numbers as the audit labels them, and as people read them. */
export const ACCURACY_NUMBERS = {
  oversold: 'oversold',
  undersold: 'undersold',
  broken: 'broken',
  phantom: 'phantom',
  overLimit: 'over limit',
  drift: 'drift',
} as const;

export const SIX_NUMBERS: readonly Query[] = Object.entries(ACCURACY_NUMBERS).map(([number, legend]) => ({
  expr: `max(${series('accuracy', `number="${number}"`)})`,
  legend,
}));

export const STOCK_COLORS: Readonly<Record<string, Color>> = {
  total: 'text',
  available: 'blue',
  held: 'orange',
  committed: 'green',
  paid: 'green',
};

/** How old what is still on its way is, stage by stage. */
export function behindSeconds(width: number): PlacedPanel {
  return graph({
    title: 'Behind, in seconds',
    question: 'How far are the orders behind the answers?',
    reading:
      'Age of the oldest hold without a committed order; of the oldest journal entry that no relay has acknowledged; ' +
      'of the oldest message that no consumer has taken. Zero: nothing waits.',
    unit: units.Seconds,
    thresholds: ['green', [10, 'orange'], [30, 'red']],
    queries: [
      { expr: `max(${series('oldestHoldSeconds')})`, legend: 'oldest hold' },
      { expr: `max(${series('relayLagSeconds')})`, legend: 'journal to Kafka' },
      { expr: `max(${series('consumerLagSeconds')})`, legend: 'Kafka to ledger' },
    ],
    runbook: 'SeckillHoldUncommitted',
    width,
  });
}

export function podsPanel(width: number): PlacedPanel {
  return graph({
    title: 'Pods',
    question: 'Are all the pods there that the sale wants?',
    reading: 'Ready must reach wanted before the opening. Max is the ceiling of the autoscaler.',
    unit: units.Short,
    thresholds: CALM,
    queries: [
      { expr: `max(${series('podsWanted')})`, legend: 'wanted' },
      { expr: `max(${series('podsReady')})`, legend: 'ready' },
      { expr: `max(${series('podsMax')})`, legend: 'max' },
    ],
    colors: { wanted: 'blue', ready: 'green', max: 'text' },
    runbook: 'SeckillPodsShort',
    width,
  });
}
