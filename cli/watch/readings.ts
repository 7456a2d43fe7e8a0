import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { request } from 'undici';
import { PEAK_MINUTES, QUERY_TIMEOUT_MS, RATE_SECONDS } from './limits.ts';

/** What Prometheus knows of a sale now; what it does not know is absent. */
export interface Readings {
  answersPerSecond?: number;
  /** Most answers in one second of the last minutes: a sale may be over before anybody looks. */
  peakAnswersPerSecond?: number;
  /** Attempts that heard nothing definite; what a buyer is rightly told is none. */
  errorsPerSecond?: number;
  soldPerSecond?: number;
  p99Seconds?: number;
  relayLagSeconds?: number;
  consumerLagSeconds?: number;
  auditAgeSeconds?: number;
  paidUnits?: number;
  /** By state: total, available, held, committed. */
  stockUnits: Record<string, number>;
  /** The six numbers by their names. */
  accuracy: Record<string, number>;
  /** Names of the alerts that fire, for this sale or for the whole platform. */
  alerts: string[];
}

const BAD_ANSWERS = 'unknown|SECKILL_ERR_(LATE|OVERLOADED|NOT_READY|UNAVAILABLE|INTERNAL)';

const answerSchema = Compile(
  Type.Object({
    data: Type.Object({
      result: Type.Array(
        Type.Object({
          metric: Type.Record(Type.String(), Type.String()),
          value: Type.Tuple([Type.Number(), Type.String()]),
        }),
      ),
    }),
  }),
);

interface Series {
  labels: Record<string, string>;
  value: number;
}

/** Asks Prometheus for all of it at once. Throws when it does not answer. */
export async function readReadings(prometheusUrl: string, eventKey: string): Promise<Readings> {
  const of = `{event="${eventKey}"}`;
  // Pods tell what they answer by event, and each serves one only: what else they tell is of that one as well.
  const pods = `and on (instance) seckill_reservation_answers_total${of}`;
  const range = `[${RATE_SECONDS}s]`;
  const buckets = 'seckill_request_duration_seconds_bucket{route="reserve"}';
  const ask = (query: string): Promise<Series[]> => queryOf(prometheusUrl, query);
  const [answers, errors, peak, sold, p99, relay, consumer, audit, paid, stock, accuracy, alerts] = await Promise.all([
    ask(`sum(rate(seckill_reservation_answers_total${of}${range}))`),
    ask(
      `sum(rate(seckill_reservation_answers_total{event="${eventKey}",answer=~"${BAD_ANSWERS}"}${range})) or vector(0)`,
    ),
    ask(`max_over_time(sum(seckill_answers_peak_per_second{role="seckill"} ${pods})[${PEAK_MINUTES}m:2s])`),
    ask(`sum(rate(seckill_reservation_answers_total{event="${eventKey}",answer="held"}${range}))`),
    ask(`histogram_quantile(0.99, sum by (le) (rate(${buckets}${range}) ${pods}))`),
    ask('max(seckill_relay_lag_seconds)'),
    ask('max(seckill_consumer_lag_seconds)'),
    ask(`time() - max(seckill_audit_completed_timestamp_seconds${of})`),
    ask(`max(seckill_paid_units${of})`),
    ask(`max by (state) (seckill_stock_units${of})`),
    ask(`max by (number) (seckill_accuracy${of})`),
    ask(`group by (alertname) (ALERTS{alertstate="firing",severity!="none",event=~"|${eventKey}"})`),
  ]);
  return {
    ...one('answersPerSecond', answers),
    ...(answers.length === 0 ? {} : one('errorsPerSecond', errors)),
    ...one('peakAnswersPerSecond', peak),
    ...one('soldPerSecond', sold),
    ...one('p99Seconds', p99),
    ...one('relayLagSeconds', relay),
    ...one('consumerLagSeconds', consumer),
    ...one('auditAgeSeconds', audit),
    ...one('paidUnits', paid),
    stockUnits: by('state', stock),
    accuracy: by('number', accuracy),
    alerts: alerts.map(({ labels }) => labels['alertname'] ?? '').toSorted(),
  };
}

async function queryOf(prometheusUrl: string, query: string): Promise<Series[]> {
  const url = `${prometheusUrl}/api/v1/query?${new URLSearchParams({ query })}`;
  const response = await request(url, { headersTimeout: QUERY_TIMEOUT_MS, bodyTimeout: QUERY_TIMEOUT_MS });
  const body: unknown = await response.body.json();
  if (!answerSchema.Check(body)) throw new Error(`Prometheus answered ${response.statusCode} to ${query}`);
  return body.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

function one<Name extends string>(name: Name, series: readonly Series[]): Partial<Record<Name, number>> {
  const value = series[0]?.value;
  return value === undefined || !Number.isFinite(value) ? {} : ({ [name]: value } as Record<Name, number>);
}

function by(label: string, series: readonly Series[]): Record<string, number> {
  return Object.fromEntries(series.map(({ labels, value }) => [labels[label] ?? '', value]));
}
