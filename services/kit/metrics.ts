import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Every metric of the product: name, help, labels and buckets stand here and nowhere else. A label never holds a buyer
 * or a reservation. A process shows the ones that it asked for.
 */
const COUNTERS = {
  answers: {
    name: 'seckill_answers_total',
    help: 'Answers to purchase attempts, by what was told: held, repeated, unknown, or the code of the error.',
    labelNames: ['answer'],
  },
  hintRefusals: {
    name: 'seckill_hint_refusals_total',
    help: 'Attempts that were refused by a remembered number of units, without asking Redis.',
    labelNames: [],
  },
  relayMessages: {
    name: 'seckill_relay_messages_total',
    help: 'Holds that were brought from the journals to Kafka; resent ones count as resent.',
    labelNames: ['kind'],
  },
  relayAcknowledged: {
    name: 'seckill_relay_acknowledged_total',
    help: 'Journal entries that were acknowledged: sent ones, and those that concern nobody behind the relay.',
    labelNames: [],
  },
  orderRows: {
    name: 'seckill_order_rows_total',
    help: 'Rows that the order consumer stored, by what became of them.',
    labelNames: ['outcome'],
  },
  orderStock: {
    name: 'seckill_order_stock_total',
    help: 'Reservations that the order consumer brought to Redis, by what Redis answered, or why it was left alone.',
    labelNames: ['answer'],
  },
  orderRecoveries: {
    name: 'seckill_order_recoveries_total',
    help: 'Recoveries that the order consumer asked for, because Redis and ledger contradict each other.',
    labelNames: ['reason'],
  },
  deadLetters: {
    name: 'seckill_dead_letters_total',
    help: 'Messages that could not be read, by process.',
    labelNames: ['role'],
  },
} as const satisfies Record<string, { name: string; help: string; labelNames: readonly string[] }>;

const GAUGES = {
  attemptsInFlight: {
    name: 'seckill_attempts_in_flight',
    help: 'Purchase attempts that wait for their answer.',
  },
  relayJournalEntries: {
    name: 'seckill_relay_journal_entries',
    help: 'Entries in all journals, the acknowledged ones among them.',
  },
  relayPendingEntries: {
    name: 'seckill_relay_pending_entries',
    help: 'Journal entries that a relay was given and has not acknowledged.',
  },
  relayOldestPendingSeconds: {
    name: 'seckill_relay_oldest_pending_seconds',
    help: 'Age of the oldest journal entry that was given to a relay and not acknowledged.',
  },
  registryAgeSeconds: {
    name: 'seckill_registry_age_seconds',
    help: 'Time since the registry of events was last read.',
  },
} as const satisfies Record<string, { name: string; help: string }>;

const HISTOGRAMS = {
  reserveBatchAttempts: {
    name: 'seckill_reserve_batch_attempts',
    help: 'Attempts in one call of the reserve script.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  },
  reserveSeconds: {
    name: 'seckill_reserve_seconds',
    help: 'Time of one call of the reserve script, as the pod sees it.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  },
  relaySendSeconds: {
    name: 'seckill_relay_send_seconds',
    help: 'Time of one send to Kafka.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  },
  orderTransactionSeconds: {
    name: 'seckill_order_transaction_seconds',
    help: 'Time of one transaction of the order consumer.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  },
} as const satisfies Record<string, { name: string; help: string; buckets: readonly number[] }>;

export type CounterName = keyof typeof COUNTERS;
export type GaugeName = keyof typeof GAUGES;
export type HistogramName = keyof typeof HISTOGRAMS;

/** Counts in a plain map, for hot paths: the library's counter costs a microsecond each time. */
export interface Tally {
  /** `label` is the value of the counter's one label; a counter without labels takes ''. */
  add(label: string, count?: number): void;
}

export interface Metrics {
  readonly registry: Registry;
  /** Each of these registers its metric when it is first asked for, and gives the same one afterwards. */
  counter(name: CounterName): Counter;
  gauge(name: GaugeName, read?: () => number): Gauge;
  histogram(name: HistogramName): Histogram;
  /** A counter with one label or none, counted cheaply and brought to the registry when it is read. */
  tally(name: CounterName): Tally;
}

export function createMetrics({ role }: { role: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const made = new Map<string, unknown>();

  function once<T>(key: string, make: () => T): T {
    if (!made.has(key)) made.set(key, make());
    return made.get(key) as T;
  }

  return {
    registry,
    counter: (name) => once(name, () => new Counter({ ...COUNTERS[name], registers })),
    gauge: (name, read) =>
      once(name, () => {
        if (read === undefined) return new Gauge({ ...GAUGES[name], registers });
        const collect = function (this: Gauge): void {
          this.set(read());
        };
        return new Gauge({ ...GAUGES[name], registers, collect });
      }),
    histogram: (name) =>
      once(name, () => new Histogram({ ...HISTOGRAMS[name], buckets: [...HISTOGRAMS[name].buckets], registers })),
    tally: (name) => once(name, () => createTally(name, registers)),
  };
}

function createTally(name: CounterName, registers: Registry[]): Tally {
  const counts = new Map<string, number>();
  const { labelNames } = COUNTERS[name];
  const label = labelNames[0] ?? '';
  new Counter({
    ...COUNTERS[name],
    registers,
    collect() {
      this.reset();
      for (const [value, count] of counts) this.inc(label === '' ? {} : { [label]: value }, count);
    },
  });
  return {
    add(value, count = 1) {
      counts.set(value, (counts.get(value) ?? 0) + count);
    },
  };
}
