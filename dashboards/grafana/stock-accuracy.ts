import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import type { DashboardSpec } from './dashboard.ts';
import { bars, CALM, graph, NONE_WANTED, stat, wellBelow, ZERO_WANTED } from './panels.ts';
import { rateBy, series } from './series.ts';
import { ACCURACY_NUMBERS, SIX_NUMBERS, STOCK_COLORS } from './shared-panels.ts';

const accuracy = series('accuracy');
const sold = `max(${series('soldUnits')})`;
const stock = (state: string) => `max(${series('stockUnits', `state="${state}"`)})`;

const MEANINGS: Readonly<Record<keyof typeof ACCURACY_NUMBERS, string>> = {
  oversold: 'Live order units in the ledger above the total.',
  undersold: 'After closing: units left although somebody was refused whom they would have served.',
  broken: 'Told "yours" and due, but there is no order.',
  phantom: 'An order whose reservation Redis never had.',
  overLimit: 'Buyers with more live units than the limit allows.',
  drift: 'Units of Redis that do not add up, and due reservations that Redis and ledger see differently.',
};
const RUNBOOKS: Readonly<Record<keyof typeof ACCURACY_NUMBERS, string>> = {
  oversold: 'SeckillOversold',
  undersold: 'SeckillUndersold',
  broken: 'SeckillBroken',
  phantom: 'SeckillPhantom',
  overLimit: 'SeckillOverLimit',
  drift: 'SeckillDrift',
};

export const STOCK_ACCURACY: DashboardSpec = {
  uid: 'seckill-stock-accuracy',
  title: 'Seckill / Stock accuracy',
  question: 'Is every unit where it should be, and how do we know?',
  from: 'now-1h',
  lines: [
    {
      height: 5,
      panels: [
        stat({
          title: 'Accurate',
          question: 'Is the sale 100 % accurate?',
          reading: 'The sum of the six numbers without their signs, by the last audit.',
          unit: units.NoUnit,
          thresholds: ZERO_WANTED,
          mappings: [{ type: MappingType.ValueToText, options: { '0': { text: '100 %' } } }],
          queries: [{ expr: `sum(abs(max by (number) (${accuracy})))`, legend: 'wrong' }],
          noValue: 'no audit yet',
          runbook: 'SeckillAccuracyUnknown',
          width: 6,
        }),
        stat({
          title: 'Age of the audit',
          question: 'How old is what we know?',
          reading: 'Since the last complete audit ended. Old numbers prove nothing about now.',
          unit: units.Seconds,
          thresholds: wellBelow([30, 'orange'], [60, 'red']),
          decimals: 0,
          queries: [{ expr: `time() - max(${series('auditCompleted')})`, legend: 'age' }],
          noValue: 'no audit yet',
          runbook: 'SeckillAuditStale',
          width: 6,
        }),
        stat({
          title: 'Rebuilds',
          question: 'Did Redis forget, so that the stock was rebuilt from the ledger?',
          reading: 'Rebuilds of this sale. Each kept every order; buyers waited while it lasted.',
          unit: units.Short,
          thresholds: wellBelow([1, 'orange']),
          queries: [{ expr: `max(${series('rebuilds')})`, legend: 'rebuilds' }],
          noValue: 'unknown',
          runbook: 'SeckillEventRecovering',
          width: 6,
        }),
        stat({
          title: 'Voided orders',
          question: 'Was anybody told "yours" whom the ledger then had to refuse?',
          reading: 'Orders that did not fit any more, after Redis lost something. The buyers are told.',
          unit: units.Short,
          thresholds: wellBelow([1, 'orange']),
          queries: [{ expr: `max(${series('orders', 'state="VOIDED"')}) or 0 * ${sold}`, legend: 'voided' }],
          noValue: 'unknown',
          runbook: 'SeckillBroken',
          width: 6,
        }),
      ],
    },
    {
      title: 'The six numbers',
      height: 5,
      panels: Object.entries(ACCURACY_NUMBERS).map(([number, name], index) => {
        const key = number as keyof typeof ACCURACY_NUMBERS;
        return stat({
          title: `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
          question: `Is anything ${name === 'drift' ? 'adrift' : name}?`,
          reading: MEANINGS[key],
          unit: units.Short,
          thresholds: ZERO_WANTED,
          queries: SIX_NUMBERS.slice(index, index + 1),
          noValue: 'no audit yet',
          runbook: RUNBOOKS[key],
          width: 4,
        });
      }),
    },
    {
      height: 7,
      panels: [
        graph({
          title: 'Six numbers over time',
          question: 'When did a number leave zero, and did it come back?',
          reading: 'Lag is no error: a hold counts only once the consumers have provably passed it.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: SIX_NUMBERS,
          negative: true,
          runbook: 'SeckillAccuracyUnknown',
          width: 24,
        }),
      ],
    },
    {
      title: 'Two books of one sale',
      height: 8,
      panels: [
        graph({
          title: 'Law of the stock',
          question: 'Do the units of Redis add up?',
          reading: 'Total − available − held − committed: a flat line at zero, whatever happens.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [
            {
              expr: `${stock('total')} - ${stock('available')} - ${stock('held')} - ${stock('committed')}`,
              legend: 'difference',
            },
          ],
          negative: true,
          runbook: 'SeckillDrift',
          width: 8,
        }),
        graph({
          title: 'Redis and ledger',
          question: 'Do Redis and the ledger tell the same story?',
          reading:
            'Told: held and committed in Redis. Sold: live units in the ledger. Sold follows told by the lag of the ' +
            'pipeline and never passes the total.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: stock('total'), legend: 'total' },
            { expr: `${stock('held')} + ${stock('committed')}`, legend: 'told' },
            { expr: stock('committed'), legend: 'committed' },
            { expr: sold, legend: 'sold' },
            { expr: `max(${series('paidUnits')})`, legend: 'paid' },
          ],
          colors: { total: 'text', told: 'orange', committed: 'blue', sold: 'green' },
          runbook: 'SeckillOversold',
          width: 8,
        }),
        bars({
          title: 'Orders by state',
          question: 'What became of the orders?',
          reading: 'Orders in the ledger, each in one state. Voided and expired ones hold no unit.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `max by (state) (${series('orders')})`, legend: '{{state}}' }],
          colors: { ...STOCK_COLORS, VOIDED: 'red', PAID: 'green' },
          noValue: 'no orders yet',
          width: 8,
        }),
      ],
    },
    {
      title: 'Where books are compared',
      height: 8,
      panels: [
        graph({
          title: 'What Redis said to the consumers',
          question: 'Does Redis accept what the ledger decided?',
          reading: 'Reservations a second by the answer of Redis. Refused ones did not fit and are voided.',
          unit: units.OpsPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('answer', series('orderStock')), legend: '{{answer}}' }],
          stacked: true,
          width: 8,
        }),
        graph({
          title: 'Contradictions found',
          question: 'Did a consumer find Redis and ledger in contradiction?',
          reading: 'Recoveries that consumers asked for since they were started. The operator then rebuilds the stock.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [{ expr: `sum by (reason) (${series('orderRecoveries')})`, legend: '{{reason}}' }],
          noValue: 'none',
          runbook: 'SeckillEventRecovering',
          width: 8,
        }),
        graph({
          title: 'Journal',
          question: 'Does the audit keep the journal short?',
          reading:
            'Entries of the journal of the event. It is trimmed below what was audited, and grows while audits wait.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `max(${series('journalEntries')})`, legend: 'entries' }],
          runbook: 'SeckillAuditStale',
          width: 8,
        }),
      ],
    },
  ],
};
