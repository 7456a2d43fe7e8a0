import { MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import type { DashboardSpec } from './dashboard.ts';
import { CALM, graph, NONE_WANTED, stat, wellBelow, ZERO_WANTED } from './panels.ts';
import { ofAllEvents, ofProcesses, quantile, rate, rateBy, series } from './series.ts';

const UP: ValueMapping[] = [{ type: MappingType.ValueToText, options: { '0': { text: 'no' }, '1': { text: 'yes' } } }];
const MUST_BE_ONE = ['red', [1, 'green']] as const;

export const OPERATOR: DashboardSpec = {
  uid: 'seckill-operator',
  title: 'Seckill / Operator',
  question: 'Does the operator look after its events, and are the servers fit for a sale?',
  from: 'now-1h',
  lines: [
    {
      height: 4,
      panels: [
        stat({
          title: 'Leaders',
          question: 'Does exactly one operator lead?',
          reading: 'None: nobody arms, closes or settles a sale. Open sales go on selling all the same.',
          unit: units.Short,
          thresholds: ['red', [1, 'green'], [2, 'orange']],
          queries: [{ expr: `sum(${series('leader')})`, legend: 'leaders' }],
          noValue: 'no operator',
          runbook: 'SeckillNoLeader',
          width: 4,
        }),
        stat({
          title: 'Operators',
          question: 'Is there somebody to take over?',
          reading: 'Operators that are alive. The chart runs two.',
          unit: units.Short,
          thresholds: ['red', [1, 'orange'], [2, 'green']],
          queries: [{ expr: `count(${series('leader')})`, legend: 'operators' }],
          noValue: 'none',
          runbook: 'SeckillNoLeader',
          width: 4,
        }),
        stat({
          title: 'Events',
          question: 'How many events are looked after, and are all of them shown?',
          reading:
            'In full, in brief (what alerts ask for), or not at all: a process shows a bounded number of series.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `max by (shown) (${series('events')})`, legend: '{{shown}}' }],
          noValue: 'unknown',
          sized: 32,
          width: 5,
        }),
        stat({
          title: 'Waiting events',
          question: 'Does the operator keep up with its events?',
          reading: 'Events that wait to be looked at now.',
          unit: units.Short,
          thresholds: wellBelow([10, 'orange'], [100, 'red']),
          queries: [{ expr: `max(${series('queueDepth')})`, legend: 'waiting' }],
          noValue: 'unknown',
          runbook: 'SeckillNoLeader',
          width: 3,
        }),
        stat({
          title: 'Waits for a person',
          question: 'Which events go no further by themselves?',
          reading: 'Events with the reason for which they are stalled.',
          unit: units.NoUnit,
          thresholds: NONE_WANTED,
          queries: [
            { expr: `max by (event, reason) (${ofAllEvents('eventStalled')})`, legend: '{{event}}: {{reason}}' },
          ],
          show: 'names',
          sized: 20,
          noValue: 'none',
          runbook: 'SeckillEventStalled',
          width: 8,
        }),
      ],
    },
    {
      title: 'Work',
      height: 7,
      panels: [
        graph({
          title: 'Looks a second',
          question: 'Does the operator look at its events?',
          reading: 'Looks at an event with what was done about it, and those of them that ended in an error.',
          unit: units.OpsPerSecond,
          thresholds: CALM,
          queries: [
            { expr: `sum(${rate(ofProcesses('seckill_reconcile_duration_seconds_count'))})`, legend: 'looks' },
            { expr: rateBy('', series('reconcileErrors')), legend: 'errors' },
          ],
          colors: { errors: 'red' },
          width: 8,
        }),
        graph({
          title: 'Time of a look',
          question: 'Is the operator quick to act?',
          reading: 'From reading an event to what was done about it.',
          unit: units.Seconds,
          thresholds: ['green', [1, 'orange'], [5, 'red']],
          queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'reconcileSeconds'), legend: `p${q * 100}` })),
          width: 8,
        }),
        graph({
          title: 'Age of the last change',
          question: 'Does the operator hear of changes?',
          reading: 'Since the platform last told of an event or its pods. Between sales it grows, and that is right.',
          unit: units.Seconds,
          thresholds: CALM,
          queries: [{ expr: `max(${series('lastChangeAgeSeconds')})`, legend: 'age' }],
          width: 8,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        graph({
          title: 'Actions',
          question: 'What did the operator do to sales, and did it succeed?',
          reading: 'Since it leads. Lost: another was faster. Hindered: a server was away; it tries again.',
          unit: units.Short,
          thresholds: CALM,
          queries: [{ expr: `max by (action, outcome) (${series('actions')})`, legend: '{{action}}: {{outcome}}' }],
          width: 8,
        }),
        graph({
          title: 'Phases',
          question: 'Which phases are the events in?',
          reading: 'Events by phase, all of them that are shown.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: `count by (phase) (max by (event, phase) (${ofAllEvents('eventPhase')}))`, legend: '{{phase}}' },
          ],
          colors: { Open: 'green', Failed: 'red', Recovering: 'red' },
          stacked: true,
          runbook: 'SeckillEventFailed',
          width: 8,
        }),
        graph({
          title: 'Failing checks',
          question: 'Which checks keep which events from being armed?',
          reading: 'Each line is a check that does not pass. A blocking one keeps the sale from opening.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [
            {
              expr: `max by (event, check, blocking) (${ofAllEvents('checkFailing')})`,
              legend: '{{event}}: {{check}}, blocking: {{blocking}}',
            },
          ],
          noValue: 'none',
          runbook: 'SeckillNotArmed',
          width: 8,
        }),
      ],
    },
    {
      title: 'Servers, as the leader sees them',
      height: 4,
      panels: [
        stat({
          title: 'Servers that answer',
          question: 'Do Redis, Kafka and the database answer?',
          reading: 'What does not answer the leader is red.',
          unit: units.NoUnit,
          thresholds: MUST_BE_ONE,
          mappings: UP,
          queries: [{ expr: `max by (server) (${series('serverUp')})`, legend: '{{server}}' }],
          noValue: 'unknown',
          sized: 32,
          width: 8,
        }),
        stat({
          title: 'Redis is fit for stock',
          question: 'Could Redis evict, forget, or take writes that no replica has?',
          reading: 'Master, never evicts, append-only file healthy, and not without the replicas that it has.',
          unit: units.NoUnit,
          thresholds: MUST_BE_ONE,
          mappings: UP,
          queries: [
            { expr: `min(${series('redisMaster')})`, legend: 'master' },
            { expr: `min(${series('redisNoeviction')})`, legend: 'noeviction' },
            { expr: `min(${series('redisAof')})`, legend: 'AOF' },
            { expr: `1 - max(${series('redisReplicasUnguarded')})`, legend: 'guarded' },
          ],
          noValue: 'unknown',
          sized: 32,
          runbook: 'SeckillRedisPolicy',
          width: 10,
        }),
        stat({
          title: 'Under-replicated partitions',
          question: 'Could Kafka lose holds if a broker died now?',
          reading: 'Partitions of the topic of holds with fewer replicas in sync than they have.',
          unit: units.Short,
          thresholds: ZERO_WANTED,
          queries: [{ expr: `max(${series('kafkaUnderReplicated')})`, legend: 'partitions' }],
          noValue: 'unknown',
          runbook: 'SeckillRelayStalled',
          width: 6,
        }),
      ],
    },
    {
      height: 7,
      panels: [
        graph({
          title: 'Memory of Redis',
          question: 'How far is Redis from its wall?',
          reading: 'Used, and what it may use if that is limited. At the wall attempts are refused.',
          unit: units.BytesIEC,
          thresholds: CALM,
          queries: [
            { expr: `max(${series('redisMemoryBytes')})`, legend: 'used' },
            { expr: `max(${series('redisMaxmemoryBytes')})`, legend: 'may use' },
          ],
          colors: { 'may use': 'red' },
          runbook: 'SeckillRedisMemory',
          width: 8,
        }),
        graph({
          title: 'Replicas and threads',
          question: 'Are the replicas of Redis connected, and is the database busy?',
          reading: 'Connected replicas, and those that are not still being filled; threads of the database by state.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: `max(${series('redisReplicas')})`, legend: 'Redis replicas' },
            { expr: `max(${series('redisReplicasOnline')})`, legend: 'of them online' },
            { expr: `max by (state) (${series('mysqlThreads')})`, legend: 'database: {{state}}' },
          ],
          runbook: 'SeckillRedisPersistence',
          width: 8,
        }),
        graph({
          title: 'Clocks',
          question: 'Do our clocks agree with the one that opens the sale?',
          reading: "Redis's clock minus a process's. The sale goes by Redis; a skew shows in countdowns.",
          unit: units.Seconds,
          thresholds: CALM,
          queries: [
            { expr: `max by (role, instance) (${series('clockSkewSeconds')})`, legend: '{{role}} {{instance}}' },
          ],
          negative: true,
          width: 8,
        }),
      ],
    },
    {
      title: 'Processes of the operator',
      height: 7,
      panels: [
        graph({
          title: 'CPU of operators',
          question: 'Does an operator need more than it should?',
          reading: 'Cores, by process. Between sales next to nothing.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            {
              expr: `sum by (instance) (${rate(ofProcesses('process_cpu_seconds_total', 'role="operator"'))})`,
              legend: '{{instance}}',
            },
          ],
          width: 8,
        }),
        graph({
          title: 'Memory of operators',
          question: 'Does an operator grow?',
          reading: 'Resident memory, by process.',
          unit: units.BytesIEC,
          thresholds: CALM,
          queries: [
            {
              expr: `sum by (instance) (${ofProcesses('process_resident_memory_bytes', 'role="operator"')})`,
              legend: '{{instance}}',
            },
          ],
          width: 8,
        }),
        graph({
          title: 'Age of processes',
          question: 'Does anything restart again and again?',
          reading: 'Time since the youngest process of each role was started. A saw is a crash loop.',
          unit: units.Seconds,
          thresholds: CALM,
          queries: [
            {
              expr: `time() - max by (role) (${ofProcesses('process_start_time_seconds')})`,
              legend: '{{role}}',
            },
          ],
          width: 8,
        }),
      ],
    },
  ],
};
