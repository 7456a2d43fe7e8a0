import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import type { DashboardSpec } from './dashboard.ts';
import { CALM, graph, NONE_WANTED, stat, wellBelow, ZERO_WANTED } from './panels.ts';
import { mean, quantile, rateBy, series } from './series.ts';
import { behindSeconds } from './shared-panels.ts';

const relayLag = `max(${series('relayLagMessages')})`;
const consumerLag = `max(${series('consumerLagMessages')})`;
const waiting = `(${relayLag} + ${consumerLag})`;
/** Beyond this it does not drain; infinity cannot be read. */
const FORECAST_MAX_SECONDS = 86_400;
/** Without a pace it does not drain either. */
const forecast =
  `clamp_max((${waiting} > 0) / ${rateBy('', series('orderRows'))}, ${FORECAST_MAX_SECONDS})` +
  ` or (${waiting} == 0) or 0 * ${waiting} + ${FORECAST_MAX_SECONDS}`;

const LAG = wellBelow([1_000, 'orange'], [10_000, 'red']);
const AGE = wellBelow([10, 'orange'], [30, 'red']);

export const ORDER_PIPELINE: DashboardSpec = {
  uid: 'seckill-order-pipeline',
  title: 'Seckill / Order pipeline',
  question: 'Does every hold become an order, and how soon: journal, Kafka, ledger, and back to Redis?',
  from: 'now-30m',
  lines: [
    {
      height: 5,
      panels: [
        stat({
          title: 'Oldest hold without an order',
          question: 'For how long has a buyer been told "yours" without an order?',
          reading: 'Age of the oldest hold that is not committed, over the whole way.',
          unit: units.Seconds,
          thresholds: AGE,
          decimals: 1,
          queries: [{ expr: `max(${series('oldestHoldSeconds')})`, legend: 'oldest hold' }],
          noValue: 'unknown',
          runbook: 'SeckillHoldUncommitted',
          width: 5,
        }),
        stat({
          title: 'Journal to Kafka',
          question: 'Do the relays keep up?',
          reading: 'Journal entries that no relay has acknowledged.',
          unit: units.Short,
          thresholds: LAG,
          queries: [{ expr: relayLag, legend: 'entries' }],
          noValue: 'unknown',
          runbook: 'SeckillRelayStalled',
          width: 5,
        }),
        stat({
          title: 'Kafka to ledger',
          question: 'Do the consumers keep up?',
          reading: 'Messages of all partitions that the consumers have yet to take.',
          unit: units.Short,
          thresholds: LAG,
          queries: [{ expr: consumerLag, legend: 'messages' }],
          noValue: 'unknown',
          runbook: 'SeckillConsumerStuck',
          width: 5,
        }),
        stat({
          title: 'Drained in',
          question: 'When will all orders be stored, at the pace of now?',
          reading: 'What waits in both lags, divided by the rows that are stored a second. Zero: nothing waits.',
          unit: units.Seconds,
          thresholds: wellBelow([60, 'orange'], [300, 'red']),
          decimals: 0,
          mappings: [
            {
              type: MappingType.RangeToText,
              options: { from: FORECAST_MAX_SECONDS, to: null, result: { text: 'does not drain', color: 'red' } },
            },
          ],
          queries: [{ expr: forecast, legend: 'forecast' }],
          noValue: 'unknown',
          runbook: 'SeckillConsumerStuck',
          width: 5,
        }),
        stat({
          title: 'Dead letters',
          question: 'Was anything put aside because it could not be read?',
          reading: 'Journal entries and messages, since the processes that are alive were started.',
          unit: units.Short,
          thresholds: ZERO_WANTED,
          queries: [{ expr: `sum(${series('deadLetters')}) or 0 * ${waiting}`, legend: 'dead letters' }],
          noValue: 'unknown',
          runbook: 'SeckillBroken',
          width: 4,
        }),
      ],
    },
    {
      title: 'Flow',
      height: 8,
      panels: [
        graph({
          title: 'Through the pipeline',
          question: 'Where does the stream of orders get narrow?',
          reading: 'A second, stage by stage: won in Redis, sent to Kafka, stored in the ledger, committed in Redis.',
          unit: units.OpsPerSecond,
          thresholds: CALM,
          queries: [
            { expr: rateBy('', series('reservationAnswers', 'answer="held"')), legend: 'won' },
            { expr: rateBy('', series('relayMessages', 'kind="sent"')), legend: 'sent' },
            { expr: rateBy('', series('orderRows')), legend: 'stored' },
            { expr: rateBy('', series('orderStock')), legend: 'brought back' },
          ],
          runbook: 'SeckillConsumerStuck',
          width: 12,
        }),
        graph({
          title: 'From hold to order',
          question: 'How long does a buyer wait for his order?',
          reading: 'Age of a hold when its row is stored: journal, Kafka and ledger together.',
          unit: units.Seconds,
          thresholds: ['green', [10, 'red']],
          queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'holdToOrderSeconds'), legend: `p${q * 100}` })),
          runbook: 'SeckillHoldUncommitted',
          width: 12,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        behindSeconds(12),
        graph({
          title: 'Behind, in messages',
          question: 'How much waits at which stage?',
          reading:
            'Entries before the relays, messages before the consumers. A lag that grows has no one who takes it.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: relayLag, legend: 'journal to Kafka' },
            { expr: consumerLag, legend: 'Kafka to ledger' },
          ],
          runbook: 'SeckillRelayStalled',
          width: 12,
        }),
      ],
    },
    {
      title: 'Relay',
      height: 7,
      panels: [
        graph({
          title: 'Sent and sent again',
          question: 'Do the relays bring news, or repeat themselves?',
          reading: 'Messages a second. Resent ones were taken by Kafka long ago and are still not committed.',
          unit: units.MessagesPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('kind', series('relayMessages')), legend: '{{kind}}' }],
          width: 8,
        }),
        graph({
          title: 'Time of a send',
          question: 'Is Kafka quick to take a batch?',
          reading: 'Until all replicas in sync have it.',
          unit: units.Seconds,
          thresholds: ['green', [1, 'orange'], [5, 'red']],
          queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'relaySendSeconds'), legend: `p${q * 100}` })),
          runbook: 'SeckillRelayStalled',
          width: 8,
        }),
        graph({
          title: 'Size of batches',
          question: 'Do relays and consumers work in batches that are worth their round trip?',
          reading: 'Mean messages of a send, mean rows of a transaction. Small ones at low load are right.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: mean('relayBatchMessages'), legend: 'messages of a send' },
            { expr: mean('orderBatchRows'), legend: 'rows of a transaction' },
          ],
          width: 8,
        }),
      ],
    },
    {
      title: 'Order consumers',
      height: 7,
      panels: [
        graph({
          title: 'Rows by outcome',
          question: 'What becomes of the messages?',
          reading: 'Rows a second. Known ones came twice, which costs nothing; voided ones did not fit.',
          unit: units.RowsPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('outcome', series('orderRows')), legend: '{{outcome}}' }],
          colors: { voided: 'red' },
          stacked: true,
          width: 8,
        }),
        graph({
          title: 'Time of a transaction',
          question: 'Is the ledger quick to store?',
          reading: 'One transaction with all its rows.',
          unit: units.Seconds,
          thresholds: ['green', [0.5, 'orange'], [1, 'red']],
          queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'orderTransactionSeconds'), legend: `p${q * 100}` })),
          runbook: 'SeckillConsumerStuck',
          width: 8,
        }),
        graph({
          title: 'Tried again',
          question: 'Does the ledger make us try again?',
          reading:
            'Transactions and statements after a conflict or a lost connection, since the processes were started.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `sum by (kind) (${series('ledgerRetries')})`, legend: '{{kind}}' }],
          noValue: 'none',
          runbook: 'SeckillConsumerStuck',
          width: 8,
        }),
      ],
    },
    {
      height: 7,
      panels: [
        graph({
          title: 'Partitions of each consumer',
          question: 'Is every partition in somebody’s hands?',
          reading: 'They add up to the partitions of the topic, except while the group is sorting itself out.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `sum by (instance) (${series('consumerPartitions')})`, legend: '{{instance}}' }],
          stacked: true,
          runbook: 'SeckillConsumerStuck',
          width: 8,
        }),
        graph({
          title: 'Consumers that began anew',
          question: 'Did the watchdog have to wake a consumer?',
          reading: 'Restarts of a consumer inside of its process, since the process was started.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [{ expr: `sum by (instance) (${series('consumerRestarts')})`, legend: '{{instance}}' }],
          noValue: 'none',
          runbook: 'SeckillConsumerStuck',
          width: 8,
        }),
        graph({
          title: 'Dead letters over time',
          question: 'When was something put aside?',
          reading: 'Entries (relay) and messages (order) that could not be read, since the processes were started.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [{ expr: `sum by (role) (${series('deadLetters')})`, legend: '{{role}}' }],
          noValue: 'none',
          runbook: 'SeckillBroken',
          width: 8,
        }),
      ],
    },
  ],
};
