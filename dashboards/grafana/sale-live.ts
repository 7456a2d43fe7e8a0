import { MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import type { DashboardSpec } from './dashboard.ts';
import { bars, CALM, graph, NONE_WANTED, stat, wellBelow, ZERO_WANTED } from './panels.ts';
import { quantile, rateBy, series } from './series.ts';
import { behindSeconds, podsPanel, SIX_NUMBERS, STOCK_COLORS } from './shared-panels.ts';

const toOpening = `max(${series('secondsToOpening')})`;
const toEnd = `max(${series('secondsToEnd')})`;
const answered = rateBy('', series('reservationAnswers'));
/** What each process saw in its best second, added up: an average over a scrape would hide a sale of two seconds. */
const peak = `max_over_time(sum(${series('peakAnswers', 'role="seckill"')})[$__range:2s])`;
const won = rateBy('', series('reservationAnswers', 'answer="held"'));
const armed = `max(${series('eventArmed')})`;
const failing = series('checkFailing');

/** The same as the alerts on the error budget count. */
const BAD_ATTEMPTS = 'route="reserve",answer=~"unknown|SECKILL_ERR_(LATE|OVERLOADED|NOT_READY|UNAVAILABLE|INTERNAL)"';

/** What stands in the way is a value of its own, so that it has a color of its own. */
const GO: ValueMapping[] = [
  {
    type: MappingType.ValueToText,
    options: { '0': { text: 'not yet' }, '1': { text: 'go' }, '2': { text: 'advice' }, '3': { text: 'no go' } },
  },
];

export const SALE_LIVE: DashboardSpec = {
  uid: 'seckill-sale-live',
  title: 'Seckill / Sale live',
  question: 'Will the sale work, does it work, and is it exact? One screen, to be read from across the room.',
  from: 'now-15m',
  lines: [
    {
      height: 5,
      panels: [
        stat({
          title: 'Countdown',
          question: 'When does the sale open, or for how long has it been open?',
          reading: "By Redis's clock, which opens and ends the sale. Exactly one of three values is shown.",
          unit: units.DurationInHoursMinutesSeconds,
          thresholds: CALM,
          decimals: 0,
          queries: [
            { expr: `${toOpening} > 0`, legend: 'opens in' },
            { expr: `(-${toOpening} >= 0) and (${toEnd} > 0)`, legend: 'open for' },
            { expr: `-${toEnd} >= 0`, legend: 'ended ago' },
          ],
          noValue: 'no event',
          runbook: 'SeckillNotOpenOnTime',
          width: 5,
        }),
        stat({
          title: 'Phase',
          question: 'Which phase is the event in?',
          reading: 'The phase by its name. Recovering and Failed need a person.',
          unit: units.NoUnit,
          thresholds: CALM,
          queries: [{ expr: `max by (phase) (${series('eventPhase')})`, legend: '{{phase}}' }],
          show: 'names',
          colors: { Armed: 'green', Open: 'green', Recovering: 'red', Failed: 'red', Paused: 'orange' },
          noValue: 'unknown',
          runbook: 'SeckillEventStalled',
          width: 4,
        }),
        stat({
          title: 'Armed, or what hinders it',
          question: 'Will the sale open by the clock alone, or which check fails?',
          reading: 'Green: armed. Red: a blocking check, or a wait for a person. Orange: a check that only advises.',
          unit: units.NoUnit,
          thresholds: ['blue', [1, 'green'], [2, 'orange'], [3, 'red']],
          mappings: GO,
          queries: [
            { expr: `${armed} == 1`, legend: 'armed' },
            { expr: `3 * max by (check) (${series('checkFailing', 'blocking="true"')})`, legend: '{{check}}' },
            { expr: `2 * max by (check) (${series('checkFailing', 'blocking="false"')})`, legend: '{{check}}' },
            { expr: `3 * max by (reason) (${series('eventStalled')})`, legend: '{{reason}}' },
            { expr: `(${armed} == 0) unless count(${failing})`, legend: 'not armed yet' },
          ],
          sized: 32,
          noValue: 'unknown',
          runbook: 'SeckillNotArmed',
          width: 5,
        }),
        stat({
          title: 'Answers a second',
          question: 'How many attempts are answered a second, and how many were it at most?',
          reading:
            'Now: attempts of this event, over the last seconds. Peak: the best single second of every pod in the time ' +
            'shown, added up; pods tell it for all their events together.',
          unit: units.Short,
          thresholds: CALM,
          decimals: 0,
          queries: [
            { expr: answered, legend: 'now' },
            { expr: peak, legend: 'peak' },
          ],
          noValue: '0',
          width: 5,
        }),
        stat({
          title: 'p99 of an attempt',
          question: 'How long do 99 of 100 buyers wait at most?',
          reading: 'From the arrival at a pod to the answer handed to the network. The target is 50 ms.',
          unit: units.Seconds,
          thresholds: wellBelow([0.04, 'orange'], [0.05, 'red']),
          queries: [{ expr: quantile(0.99, 'requestSeconds', 'route="reserve"'), legend: 'p99' }],
          noValue: 'no attempts',
          runbook: 'SeckillLatencyHigh',
          width: 5,
        }),
      ],
    },
    {
      height: 6,
      panels: [
        bars({
          title: 'Stock',
          question: 'How many units are there, and how far has each of them come?',
          reading: 'Total = available + held + committed, in Redis. Paid: units of paid orders in the ledger.',
          unit: units.Short,
          thresholds: CALM,
          decimals: 0,
          queries: [
            ...['total', 'available', 'held', 'committed'].map((state) => ({
              expr: `max(${series('stockUnits', `state="${state}"`)})`,
              legend: state,
            })),
            { expr: `max(${series('paidUnits')})`, legend: 'paid' },
          ],
          colors: STOCK_COLORS,
          noValue: 'not in Redis yet',
          width: 9,
        }),
        stat({
          title: 'Six numbers',
          question: 'Is the sale exact?',
          reading: 'Oversold, undersold, broken, phantom, over the limit, drift: all zero is 100 % accurate.',
          unit: units.NoUnit,
          thresholds: ZERO_WANTED,
          queries: SIX_NUMBERS,
          sized: 36,
          noValue: 'no audit yet',
          runbook: 'SeckillAccuracyUnknown',
          width: 11,
        }),
        stat({
          title: 'Sold a second',
          question: 'How fast does the sale sell?',
          reading: 'Attempts a second that won. One may be for several units.',
          unit: units.Short,
          thresholds: CALM,
          decimals: 0,
          queries: [{ expr: `${won} or 0 * ${answered}`, legend: 'won' }],
          noValue: '0',
          width: 4,
        }),
      ],
    },
    {
      title: 'Buyers',
      height: 8,
      panels: [
        graph({
          title: 'Answers by what was told',
          question: 'What are the buyers told?',
          reading: 'Attempts a second: held is won; sold out, too late or over the limit are honest refusals.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('answer', series('reservationAnswers')), legend: '{{answer}}' }],
          colors: { held: 'green', unknown: 'red', SECKILL_ERR_UNAVAILABLE: 'red', SECKILL_ERR_INTERNAL: 'red' },
          stacked: true,
          width: 12,
        }),
        graph({
          title: 'Time of an attempt',
          question: 'Do the buyers get their answers in time?',
          reading: 'Quantiles over all pods, against the target of 50 ms.',
          unit: units.Seconds,
          thresholds: ['green', [0.05, 'red']],
          queries: [0.5, 0.95, 0.99].map((q) => ({
            expr: quantile(q, 'requestSeconds', 'route="reserve"'),
            legend: `p${q * 100}`,
          })),
          runbook: 'SeckillLatencyHigh',
          width: 12,
        }),
      ],
    },
    {
      height: 7,
      panels: [
        graph({
          title: 'Errors',
          question: 'Do we fail anybody?',
          reading: 'Answers that spend the error budget, since the pods were started, by what was told.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [
            {
              expr: `sum by (answer) (${series('requests', BAD_ATTEMPTS)})`,
              legend: '{{answer}}',
            },
          ],
          noValue: 'none',
          runbook: 'SeckillErrorBudgetFast',
          width: 8,
        }),
        graph({
          title: 'Sent away unasked',
          question: 'Do the pods shed load?',
          reading: 'Attempts a second that found too many in flight (full) or waited too long (late). More pods help.',
          unit: units.RequestsPerSecond,
          thresholds: NONE_WANTED,
          queries: [{ expr: rateBy('reason', series('attemptsShed')), legend: '{{reason}}' }],
          noValue: 'none',
          runbook: 'SeckillErrorBudgetFast',
          width: 8,
        }),
        graph({
          title: 'Buyers at the edge',
          question: 'How many are connected, and is anybody turned away at the door?',
          reading: 'Connections by what they do. Dropped ones found the connections of the edge used up.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: `sum by (state) (${series('edgeConnections')})`, legend: '{{state}}' },
            { expr: rateBy('', series('edgeDropped')), legend: 'dropped a second' },
          ],
          colors: { 'dropped a second': 'red' },
          width: 8,
        }),
      ],
    },
    {
      title: 'Behind the answer',
      height: 8,
      panels: [
        graph({
          title: 'Stock over time',
          question: 'How did the stock go?',
          reading: 'Units by state. Held become committed as the orders are stored; together they stay the total.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `max by (state) (${series('stockUnits', 'state!="total"')})`, legend: '{{state}}' }],
          colors: STOCK_COLORS,
          stacked: true,
          width: 8,
        }),
        behindSeconds(8),
        podsPanel(8),
      ],
    },
  ],
};
