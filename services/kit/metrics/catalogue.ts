/**
 * Every metric of the product: name, help, labels and buckets stand here and nowhere else. docs/metrics.md is made of
 * it. A label never holds a buyer or a reservation; `event` is `namespace/name`.
 */
export interface MetricSpec {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  /** Upper bounds; a histogram has at most 12 buckets with the one for everything above. */
  buckets?: readonly number[];
  /** Which process shows it. `leader` is the operator that leads: of what all could see, one of them tells. */
  by: 'every' | 'seckill' | 'relay' | 'order' | 'operator' | 'leader' | 'edge';
}

/** Around the target of 50 ms, which is a bound itself so that the share within it is exact. */
const ANSWER_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1] as const;
const CALL_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const;
const WORK_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const;
const PIPELINE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000] as const;

const REQUESTS = {
  requests: {
    name: 'seckill_requests_total',
    type: 'counter',
    help: 'Requests of the API that were answered, by what was told (a word, or the code of the error) and HTTP status.',
    labels: ['route', 'answer', 'code'],
    by: 'every',
  },
  requestSeconds: {
    name: 'seckill_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the arrival of a request until its answer was handed to the network.',
    labels: ['route'],
    buckets: ANSWER_SECONDS,
    by: 'every',
  },
  peakAnswers: {
    name: 'seckill_answers_peak_per_second',
    type: 'gauge',
    help: 'Most answers that this process gave in any one second since the last scrape, and at least of the last 5 s.',
    labels: [],
    by: 'every',
  },
} as const satisfies Record<string, MetricSpec>;

const POD = {
  reservationAnswers: {
    name: 'seckill_reservation_answers_total',
    type: 'counter',
    help: 'Answers to purchase attempts by event: held, repeated, unknown, or the code of the error.',
    labels: ['event', 'answer'],
    by: 'seckill',
  },
  hintHits: {
    name: 'seckill_hint_hits_total',
    type: 'counter',
    help: 'Attempts that were refused by a remembered number of units, without asking Redis.',
    labels: [],
    by: 'seckill',
  },
  attemptsInFlight: {
    name: 'seckill_attempts_in_flight',
    type: 'gauge',
    help: 'Purchase attempts that wait for their answer.',
    labels: [],
    by: 'seckill',
  },
  attemptsShed: {
    name: 'seckill_attempts_shed_total',
    type: 'counter',
    help: 'Attempts that were sent away unasked: too many in flight (full), or too long in the queue (late).',
    labels: ['reason'],
    by: 'seckill',
  },
  reserveBatchAttempts: {
    name: 'seckill_reserve_batch_attempts',
    type: 'histogram',
    help: 'Attempts in one call of the reserve script.',
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    by: 'seckill',
  },
  tokenVerifications: {
    name: 'seckill_token_verifications_total',
    type: 'counter',
    help: 'Admission tokens that pods looked at, by result: ok, or the code of the error. They are issued elsewhere.',
    labels: ['result'],
    by: 'seckill',
  },
  registryAgeSeconds: {
    name: 'seckill_registry_age_seconds',
    type: 'gauge',
    help: 'Time since the registry of events was last read.',
    labels: [],
    by: 'seckill',
  },
} as const satisfies Record<string, MetricSpec>;

const REDIS_CALLS = {
  redisCallSeconds: {
    name: 'seckill_redis_call_duration_seconds',
    type: 'histogram',
    help: 'Time of one call of Redis as the caller sees it: reserve, commit, release, snapshot, lookup, journal, registry, other.',
    labels: ['call'],
    buckets: CALL_SECONDS,
    by: 'every',
  },
  redisErrors: {
    name: 'seckill_redis_errors_total',
    type: 'counter',
    help: "Calls of Redis without an answer (lost), without a connection (disconnected), or with an error by Redis's own word.",
    labels: ['call', 'error'],
    by: 'every',
  },
  clockSkewSeconds: {
    name: 'seckill_clock_skew_seconds',
    type: 'gauge',
    help: "Redis's clock minus this process's. The sale opens and closes by Redis.",
    labels: [],
    by: 'every',
  },
} as const satisfies Record<string, MetricSpec>;

const RELAY = {
  relayMessages: {
    name: 'seckill_relay_messages_total',
    type: 'counter',
    help: 'Holds that were brought from the journals to Kafka: sent, or resent.',
    labels: ['kind'],
    by: 'relay',
  },
  relayAcknowledged: {
    name: 'seckill_relay_acknowledged_total',
    type: 'counter',
    help: 'Journal entries that were acknowledged: sent ones, and those that concern nobody behind the relay.',
    labels: [],
    by: 'relay',
  },
  relaySendSeconds: {
    name: 'seckill_relay_send_duration_seconds',
    type: 'histogram',
    help: 'Time of one send to Kafka.',
    labels: [],
    buckets: WORK_SECONDS,
    by: 'relay',
  },
  relayBatchMessages: {
    name: 'seckill_relay_batch_messages',
    type: 'histogram',
    help: 'Messages of one send to Kafka.',
    labels: [],
    buckets: BATCH,
    by: 'relay',
  },
  relayJournalEntries: {
    name: 'seckill_relay_journal_entries',
    type: 'gauge',
    help: 'Entries in all journals, the acknowledged ones among them. Every relay sees the same.',
    labels: [],
    by: 'relay',
  },
  relayLagMessages: {
    name: 'seckill_relay_lag_messages',
    type: 'gauge',
    help: 'Journal entries that no relay has acknowledged yet, delivered or not. Every relay sees the same. Absent while it is not known.',
    labels: [],
    by: 'relay',
  },
  relayLagSeconds: {
    name: 'seckill_relay_lag_seconds',
    type: 'gauge',
    help: 'Age of the oldest journal entry that no relay has acknowledged yet; 0: there is none. Absent while it is not known.',
    labels: [],
    by: 'relay',
  },
  deadLetters: {
    name: 'seckill_dead_letters_total',
    type: 'counter',
    help: 'Journal entries (relay) and messages (order) that could not be read and were put aside.',
    labels: [],
    by: 'every',
  },
} as const satisfies Record<string, MetricSpec>;

const ORDER = {
  orderRows: {
    name: 'seckill_order_rows_total',
    type: 'counter',
    help: 'Rows that the order consumer stored, by what became of them; voided ones did not fit.',
    labels: ['outcome'],
    by: 'order',
  },
  orderStock: {
    name: 'seckill_order_stock_total',
    type: 'counter',
    help: 'Reservations that the order consumer brought to Redis, by what Redis answered, or why it was left alone.',
    labels: ['answer'],
    by: 'order',
  },
  orderRecoveries: {
    name: 'seckill_order_recoveries_total',
    type: 'counter',
    help: 'Recoveries that the order consumer asked for, because Redis and ledger contradict each other.',
    labels: ['reason'],
    by: 'order',
  },
  orderTransactionSeconds: {
    name: 'seckill_order_transaction_duration_seconds',
    type: 'histogram',
    help: 'Time of one transaction that stores orders.',
    labels: [],
    buckets: WORK_SECONDS,
    by: 'order',
  },
  orderBatchRows: {
    name: 'seckill_order_batch_rows',
    type: 'histogram',
    help: 'Rows of one transaction that stores orders.',
    labels: [],
    buckets: BATCH,
    by: 'order',
  },
  holdToOrderSeconds: {
    name: 'seckill_hold_to_order_seconds',
    type: 'histogram',
    help: 'Age of a hold when its new row is stored: the whole way through journal, Kafka and ledger.',
    labels: [],
    buckets: PIPELINE_SECONDS,
    by: 'order',
  },
  ledgerRetries: {
    name: 'seckill_ledger_retries_total',
    type: 'counter',
    help: 'Transactions and statements that were tried again, by why: conflict (deadlock, lock wait) or lost (connection).',
    labels: ['kind'],
    by: 'every',
  },
  consumerPartitions: {
    name: 'seckill_consumer_partitions',
    type: 'gauge',
    help: 'Partitions that this consumer has now.',
    labels: [],
    by: 'order',
  },
  consumerRestarts: {
    name: 'seckill_consumer_restarts_total',
    type: 'counter',
    help: 'How often the watchdog of the consumer had to begin anew.',
    labels: [],
    by: 'order',
  },
} as const satisfies Record<string, MetricSpec>;

const OPERATOR = {
  leader: {
    name: 'seckill_operator_leader',
    type: 'gauge',
    help: 'Whether this operator leads: 1 or 0.',
    labels: [],
    by: 'operator',
  },
  kubernetesRequests: {
    name: 'seckill_kubernetes_requests_total',
    type: 'counter',
    help: 'Calls of the Kubernetes API, by verb and resource; a calm cluster gets none but for leases.',
    labels: ['verb', 'resource'],
    by: 'operator',
  },
  reconcileSeconds: {
    name: 'seckill_reconcile_duration_seconds',
    type: 'histogram',
    help: 'Time of one look at one event, with what was done about it.',
    labels: [],
    buckets: WORK_SECONDS,
    by: 'leader',
  },
  reconcileErrors: {
    name: 'seckill_reconcile_errors_total',
    type: 'counter',
    help: 'Looks at an event that ended in an error.',
    labels: [],
    by: 'leader',
  },
  actions: {
    name: 'seckill_actions_total',
    type: 'counter',
    help: 'What the operator did to sales, by how it ended: done, lost (another was faster) or hindered.',
    labels: ['action', 'outcome'],
    by: 'leader',
  },
  queueDepth: {
    name: 'seckill_queue_depth',
    type: 'gauge',
    help: 'Events that wait to be looked at now.',
    labels: [],
    by: 'leader',
  },
  lastChangeAgeSeconds: {
    name: 'seckill_last_change_age_seconds',
    type: 'gauge',
    help: 'Time since the platform last told of a change of an event or its pods.',
    labels: [],
    by: 'leader',
  },
  events: {
    name: 'seckill_events',
    type: 'gauge',
    help: 'Events that the leader looks after, by how much it shows of each: full, brief (what alerts ask for) or none (too many).',
    labels: ['shown'],
    by: 'leader',
  },
} as const satisfies Record<string, MetricSpec>;

const EVENT = {
  eventPhase: {
    name: 'seckill_event_phase',
    type: 'gauge',
    help: 'Always 1, with the phase that the event has now; the phases that it does not have are absent.',
    labels: ['event', 'phase'],
    by: 'leader',
  },
  secondsToOpening: {
    name: 'seckill_event_seconds_to_opening',
    type: 'gauge',
    help: "Seconds until the window opens, by Redis's clock; negative since it has.",
    labels: ['event'],
    by: 'leader',
  },
  secondsToEnd: {
    name: 'seckill_event_seconds_to_end',
    type: 'gauge',
    help: "Seconds until the window ends, by Redis's clock; negative since it has.",
    labels: ['event'],
    by: 'leader',
  },
  eventArmed: {
    name: 'seckill_event_armed',
    type: 'gauge',
    help: 'Whether the sale was armed, so that it opens by the clock alone: 1 or 0.',
    labels: ['event'],
    by: 'leader',
  },
  eventStalled: {
    name: 'seckill_event_stalled',
    type: 'gauge',
    help: 'Present, and 1, while the event waits for a person, with the reason.',
    labels: ['event', 'reason'],
    by: 'leader',
  },
  checkFailing: {
    name: 'seckill_event_check_failing',
    type: 'gauge',
    help: 'Present, and 1, for each check before arming that does not pass.',
    labels: ['event', 'check', 'blocking'],
    by: 'leader',
  },
  podsWanted: {
    name: 'seckill_pods_wanted',
    type: 'gauge',
    help: 'Pods that the sale wants now.',
    labels: ['event'],
    by: 'leader',
  },
  podsReady: {
    name: 'seckill_pods_ready',
    type: 'gauge',
    help: 'Pods of the sale that are ready.',
    labels: ['event'],
    by: 'leader',
  },
  podsMax: {
    name: 'seckill_pods_max',
    type: 'gauge',
    help: 'The most pods that the autoscaler may start for the sale.',
    labels: ['event'],
    by: 'leader',
  },
  podsAtMax: {
    name: 'seckill_pods_at_max',
    type: 'gauge',
    help: 'Whether the autoscaler cannot add a pod any more: 1 or 0.',
    labels: ['event'],
    by: 'leader',
  },
  stockUnits: {
    name: 'seckill_stock_units',
    type: 'gauge',
    help: 'Units in Redis by state: total = available + held + committed.',
    labels: ['event', 'state'],
    by: 'leader',
  },
  orders: {
    name: 'seckill_orders',
    type: 'gauge',
    help: 'Orders in the ledger by state (PENDING_PAYMENT, PAID, CANCELLED, EXPIRED, VOIDED); states that nobody is in are absent.',
    labels: ['event', 'state'],
    by: 'leader',
  },
  soldUnits: {
    name: 'seckill_sold_units',
    type: 'gauge',
    help: 'Units of live orders, as the ledger counts them.',
    labels: ['event'],
    by: 'leader',
  },
  paidUnits: {
    name: 'seckill_paid_units',
    type: 'gauge',
    help: 'Units of paid orders in the ledger.',
    labels: ['event'],
    by: 'leader',
  },
  journalEntries: {
    name: 'seckill_journal_entries',
    type: 'gauge',
    help: 'Entries in the journal of the event.',
    labels: ['event'],
    by: 'leader',
  },
  oldestHoldSeconds: {
    name: 'seckill_oldest_uncommitted_hold_seconds',
    type: 'gauge',
    help: 'Age of the oldest hold that is not committed yet; 0: there is none. Absent while it is not known.',
    labels: ['event'],
    by: 'leader',
  },
  rebuilds: {
    name: 'seckill_event_rebuilds',
    type: 'gauge',
    help: 'How often the live stock of this sale was rebuilt from the ledger.',
    labels: ['event'],
    by: 'leader',
  },
  accuracy: {
    name: 'seckill_accuracy',
    type: 'gauge',
    help: 'The six numbers: oversold, undersold, broken, phantom, overLimit, drift. All zero is 100 % accurate.',
    labels: ['event', 'number'],
    by: 'leader',
  },
  auditCompleted: {
    name: 'seckill_audit_completed_timestamp_seconds',
    type: 'gauge',
    help: 'When the last complete audit of the event ended, in Unix time.',
    labels: ['event'],
    by: 'leader',
  },
} as const satisfies Record<string, MetricSpec>;

const PIPELINE = {
  consumerLagMessages: {
    name: 'seckill_consumer_lag_messages',
    type: 'gauge',
    help: 'Messages in the topic of holds that the order consumers have yet to take, over all partitions.',
    labels: [],
    by: 'leader',
  },
  consumerLagSeconds: {
    name: 'seckill_consumer_lag_seconds',
    type: 'gauge',
    help: 'For how long the oldest message that was not taken yet has been in Kafka, to within a few seconds; 0: there is none.',
    labels: [],
    by: 'leader',
  },
} as const satisfies Record<string, MetricSpec>;

const SERVERS = {
  serverUp: {
    name: 'seckill_server_up',
    type: 'gauge',
    help: 'Whether the server (redis, kafka, mysql) answers the leader: 1 or 0.',
    labels: ['server'],
    by: 'leader',
  },
  redisMemoryBytes: {
    name: 'seckill_redis_memory_used_bytes',
    type: 'gauge',
    help: 'Memory that Redis uses.',
    labels: [],
    by: 'leader',
  },
  redisMaxmemoryBytes: {
    name: 'seckill_redis_memory_max_bytes',
    type: 'gauge',
    help: 'Memory that Redis may use; absent when it is unlimited.',
    labels: [],
    by: 'leader',
  },
  redisCpuSeconds: {
    name: 'seckill_redis_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of Redis, user and system.',
    labels: [],
    by: 'leader',
  },
  redisReplicas: {
    name: 'seckill_redis_connected_replicas',
    type: 'gauge',
    help: 'Replicas that are connected to Redis.',
    labels: [],
    by: 'leader',
  },
  redisReplicasOnline: {
    name: 'seckill_redis_online_replicas',
    type: 'gauge',
    help: 'Connected replicas whose link is online; the others are still being filled.',
    labels: [],
    by: 'leader',
  },
  redisReplicaLagSeconds: {
    name: 'seckill_redis_replica_lag_seconds',
    type: 'gauge',
    help: 'For how long the most silent replica that is online has not acknowledged anything; absent when there is none.',
    labels: [],
    by: 'leader',
  },
  redisMaster: {
    name: 'seckill_redis_master',
    type: 'gauge',
    help: 'Whether the Redis that we are connected to is a master: 1 or 0.',
    labels: [],
    by: 'leader',
  },
  redisReplicasUnguarded: {
    name: 'seckill_redis_replicas_unguarded',
    type: 'gauge',
    help: 'Whether Redis has replicas and would go on without any of them (min-replicas-to-write is 0): 1 or 0.',
    labels: [],
    by: 'leader',
  },
  redisNoeviction: {
    name: 'seckill_redis_policy_noeviction',
    type: 'gauge',
    help: 'Whether Redis never evicts (maxmemory-policy noeviction): 1 or 0.',
    labels: [],
    by: 'leader',
  },
  redisAof: {
    name: 'seckill_redis_aof_healthy',
    type: 'gauge',
    help: 'Whether the append-only file is on and its last write succeeded: 1 or 0.',
    labels: [],
    by: 'leader',
  },
  kafkaUnderReplicated: {
    name: 'seckill_kafka_under_replicated_partitions',
    type: 'gauge',
    help: 'Partitions of the topic of holds with fewer replicas in sync than they have.',
    labels: [],
    by: 'leader',
  },
  mysqlThreads: {
    name: 'seckill_mysql_threads',
    type: 'gauge',
    help: 'Threads of the database, by state: connected, running.',
    labels: ['state'],
    by: 'leader',
  },
} as const satisfies Record<string, MetricSpec>;

const EDGE = {
  edgeRequests: {
    name: 'seckill_edge_requests_total',
    type: 'counter',
    help: 'Requests that the edge answered, by HTTP status.',
    labels: ['code'],
    by: 'edge',
  },
  edgeRetries: {
    name: 'seckill_edge_upstream_retries_total',
    type: 'counter',
    help: 'Requests that the edge brought to another pod, because the first one did not answer.',
    labels: [],
    by: 'edge',
  },
  edgeConnections: {
    name: 'seckill_edge_connections',
    type: 'gauge',
    help: 'Connections of buyers at the edge by state: reading, writing, waiting.',
    labels: ['state'],
    by: 'edge',
  },
  edgeAccepted: {
    name: 'seckill_edge_connections_accepted_total',
    type: 'counter',
    help: 'Connections that the edge accepted.',
    labels: [],
    by: 'edge',
  },
  edgeDropped: {
    name: 'seckill_edge_connections_dropped_total',
    type: 'counter',
    help: 'Connections that the edge accepted and could not handle: its connections are used up.',
    labels: [],
    by: 'edge',
  },
  edgeLookups: {
    name: 'seckill_edge_lookups_total',
    type: 'counter',
    help: 'Names of pools that the edge looked up in a cluster, by what was said: found, empty (no pods), failed.',
    labels: ['outcome'],
    by: 'edge',
  },
  edgePeers: {
    name: 'seckill_edge_peers',
    type: 'gauge',
    help: 'Pods of all sales that the edge of a cluster brings requests to.',
    labels: [],
    by: 'edge',
  },
  edgeRoutesAgeSeconds: {
    name: 'seckill_edge_routes_age_seconds',
    type: 'gauge',
    help: 'Time since the operator last told the edge of a cluster its routes; absent before the first time.',
    labels: [],
    by: 'edge',
  },
} as const satisfies Record<string, MetricSpec>;

export const METRICS = {
  ...REQUESTS,
  ...POD,
  ...REDIS_CALLS,
  ...RELAY,
  ...ORDER,
  ...OPERATOR,
  ...EVENT,
  ...PIPELINE,
  ...SERVERS,
  ...EDGE,
} as const satisfies Record<string, MetricSpec>;

type Named<T extends MetricSpec['type']> = {
  [K in keyof typeof METRICS]: (typeof METRICS)[K]['type'] extends T ? K : never;
}[keyof typeof METRICS];

export type CounterName = Named<'counter'>;
export type GaugeName = Named<'gauge'>;
export type HistogramName = Named<'histogram'>;
