import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import type { DashboardSpec } from './dashboard.ts';
import { CALM, graph, NONE_WANTED, stat, wellBelow } from './panels.ts';
import { mean, ofProcesses, quantile, rate, rateBy, series } from './series.ts';
import { podsPanel } from './shared-panels.ts';

const requests = `sum(${rate(series('requests', 'role="seckill"'))})`;
const cores = `sum(${rate(ofProcesses('process_cpu_seconds_total', 'role="seckill"'))})`;
const cpuOfRequest = `${cores} / (${requests} > 0)`;
const ready = `max(${series('podsReady')})`;
const wanted = `max(${series('podsWanted')})`;
/** A pod is one process of one core; beyond the part of it that the autoscaler aims at, waiting times grow. */
const bearable = `${ready} * $utilization / 100 / (${cpuOfRequest})`;

const POOL_PODS = 'namespace=~"$namespace",pod=~"ske-.*"';

export const CAPACITY: DashboardSpec = {
  uid: 'seckill-capacity',
  title: 'Seckill / Capacity',
  question: 'Can the pods bear what will come, and where is the wall?',
  from: 'now-30m',
  inputs: {
    target: {
      label: 'Target, answers a second',
      description: 'What the pods of the sale shall bear together in its best second.',
      value: '10000',
    },
    utilization: {
      label: 'Of a core, %',
      description: 'How much of its core a pod may use; the same as scaling.cpuUtilization of the event.',
      value: '60',
    },
  },
  lines: [
    {
      height: 5,
      panels: [
        stat({
          title: 'Pods ready of wanted',
          question: 'Are the pods there?',
          reading: 'The share of the pods that the sale wants now which are ready.',
          unit: units.PercentUnit,
          thresholds: ['red', [0.5, 'orange'], [1, 'green']],
          decimals: 0,
          queries: [{ expr: `${ready} / (${wanted} > 0)`, legend: 'ready' }],
          noValue: 'none wanted',
          runbook: 'SeckillPodsShort',
          width: 4,
        }),
        stat({
          title: 'At the ceiling',
          question: 'Could the autoscaler add a pod if it had to?',
          reading: 'At its ceiling it cannot: raise scaling.maxReplicas.',
          unit: units.NoUnit,
          thresholds: wellBelow([1, 'orange']),
          mappings: [{ type: MappingType.ValueToText, options: { '0': { text: 'below' }, '1': { text: 'reached' } } }],
          queries: [{ expr: `max(${series('podsAtMax')})`, legend: 'ceiling' }],
          noValue: 'unknown',
          runbook: 'SeckillPodsShort',
          width: 4,
        }),
        stat({
          title: 'CPU a request',
          question: 'What does a request cost?',
          reading: 'CPU time of the pods, divided by the requests that they answered. At low load idle time weighs.',
          unit: units.Seconds,
          thresholds: CALM,
          queries: [{ expr: cpuOfRequest, legend: 'CPU' }],
          noValue: 'no requests',
          width: 4,
        }),
        stat({
          title: 'Requests a pod',
          question: 'How much does each pod carry?',
          reading: 'Answers a second, divided by the pods that are ready.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          decimals: 0,
          queries: [{ expr: `${requests} / (${ready} > 0)`, legend: 'a pod' }],
          noValue: 'no pods',
          width: 4,
        }),
        stat({
          title: 'Bearable',
          question: 'How many answers a second can the ready pods give?',
          reading: 'Ready pods × the part of a core that each may use ÷ the CPU of a request, as measured now.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          decimals: 0,
          queries: [{ expr: bearable, legend: 'bearable' }],
          noValue: 'no requests',
          width: 4,
        }),
        stat({
          title: 'Headroom to the target',
          question: 'Would the target be borne, and how many times over?',
          reading: 'Bearable ÷ target. Below 1 the pods are too few for what is expected.',
          unit: units.NoUnit,
          thresholds: ['red', [1, 'orange'], [1.3, 'green']],
          decimals: 1,
          queries: [{ expr: `(${bearable}) / $target`, legend: 'times' }],
          noValue: 'no requests',
          runbook: 'SeckillPodsShort',
          width: 4,
        }),
      ],
    },
    {
      title: 'Pods of the sale',
      height: 8,
      panels: [
        podsPanel(8),
        graph({
          title: 'Answers of each pod',
          question: 'Is the load spread evenly?',
          reading: 'Answers a second, by pod. One line apart from the others is a pod that the edge does not reach.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('instance', series('requests', 'role="seckill"')), legend: '{{instance}}' }],
          width: 8,
        }),
        graph({
          title: 'Best second of each pod',
          question: 'What did the opening second look like, which an average hides?',
          reading: 'The most answers of any one second since the last scrape, by pod.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          queries: [{ expr: `max by (instance) (${series('peakAnswers', 'role="seckill"')})`, legend: '{{instance}}' }],
          width: 8,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        graph({
          title: 'CPU of pods',
          question: 'How near is a pod to the end of its core?',
          reading: 'Cores, by pod. At one the process is at its wall, whatever the limits say.',
          unit: units.Short,
          thresholds: ['green', [0.6, 'orange'], [0.9, 'red']],
          queries: [
            {
              expr: `sum by (instance) (${rate(ofProcesses('process_cpu_seconds_total', 'role="seckill"'))})`,
              legend: '{{instance}}',
            },
          ],
          width: 8,
        }),
        graph({
          title: 'Delay of the event loop',
          question: 'Do requests wait inside of a pod?',
          reading: 'The 99th percentile, by pod. It is time that every buyer of that pod waits.',
          unit: units.Seconds,
          thresholds: ['green', [0.03, 'orange'], [0.05, 'red']],
          queries: [
            {
              expr: `max by (instance) (${ofProcesses('nodejs_eventloop_lag_p99_seconds', 'role="seckill"')})`,
              legend: '{{instance}}',
            },
          ],
          runbook: 'SeckillLatencyHigh',
          width: 8,
        }),
        graph({
          title: 'In flight',
          question: 'Do attempts pile up?',
          reading: 'Attempts that wait for their answer, by pod, and the mean size of what is asked of Redis at once.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            { expr: `max by (instance) (${series('attemptsInFlight')})`, legend: '{{instance}}' },
            { expr: mean('reserveBatchAttempts'), legend: 'attempts of a call' },
          ],
          runbook: 'SeckillLatencyHigh',
          width: 8,
        }),
      ],
    },
    {
      title: 'Redis, the one place where all meet',
      height: 8,
      panels: [
        graph({
          title: 'CPU of Redis',
          question: 'How near is Redis to the end of its core?',
          reading: 'Cores that Redis uses. It has one for its work: at one the sale has reached its wall.',
          unit: units.Short,
          thresholds: ['green', [0.6, 'orange'], [0.9, 'red']],
          queries: [{ expr: `max(${rate(series('redisCpuSeconds'))})`, legend: 'cores' }],
          width: 8,
        }),
        graph({
          title: 'Time of a call of Redis',
          question: 'Does Redis answer at once?',
          reading: 'As the pods see it, for the script that reserves.',
          unit: units.Seconds,
          thresholds: ['green', [0.01, 'orange'], [0.05, 'red']],
          queries: [0.5, 0.99].map((q) => ({
            expr: quantile(q, 'redisCallSeconds', 'call="reserve"'),
            legend: `p${q * 100}`,
          })),
          runbook: 'SeckillLatencyHigh',
          width: 8,
        }),
        graph({
          title: 'Spared calls',
          question: 'How much of the crowd does the hint keep away from Redis?',
          reading: 'Attempts a second that were refused by a remembered number of units, without asking.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          queries: [{ expr: rateBy('', series('hintHits')), legend: 'spared' }],
          noValue: 'none',
          width: 8,
        }),
      ],
    },
    {
      height: 7,
      panels: [
        graph({
          title: 'Calls of Redis that failed',
          question: 'Does Redis leave us without an answer?',
          reading: 'By call and kind, of all processes, since they were started.',
          unit: units.Short,
          thresholds: NONE_WANTED,
          queries: [{ expr: `sum by (call, error) (${series('redisErrors')})`, legend: '{{call}}: {{error}}' }],
          noValue: 'none',
          runbook: 'SeckillRedisPolicy',
          width: 8,
        }),
        graph({
          title: 'Answers of the edge',
          question: 'What leaves the edge, and does it have to ask twice?',
          reading: 'Answers a second by status, and requests that were brought to another pod.',
          unit: units.RequestsPerSecond,
          thresholds: CALM,
          queries: [
            { expr: rateBy('code', series('edgeRequests')), legend: '{{code}}' },
            { expr: rateBy('', series('edgeRetries')), legend: 'asked another pod' },
          ],
          colors: { 'asked another pod': 'orange' },
          width: 8,
        }),
        graph({
          title: 'Connections a second',
          question: 'How many buyers come to the door?',
          reading: 'Connections that the edge accepted, and those that it could not handle.',
          unit: units.CountsPerSecond,
          thresholds: CALM,
          queries: [
            { expr: rateBy('', series('edgeAccepted')), legend: 'accepted' },
            { expr: rateBy('', series('edgeDropped')), legend: 'dropped' },
          ],
          colors: { dropped: 'red' },
          width: 8,
        }),
      ],
    },
    {
      title: 'Kubernetes (needs cAdvisor and kube-state-metrics)',
      height: 8,
      panels: [
        graph({
          title: 'Autoscaler',
          question: 'What does the autoscaler want?',
          reading: 'Desired and current replicas of the pools, as the cluster tells.',
          unit: units.Short,
          thresholds: CALM,
          queries: [
            {
              expr: 'max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas{namespace=~"$namespace",horizontalpodautoscaler=~"ske-.*"})',
              legend: 'desired {{horizontalpodautoscaler}}',
            },
            {
              expr: 'max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{namespace=~"$namespace",horizontalpodautoscaler=~"ske-.*"})',
              legend: 'current {{horizontalpodautoscaler}}',
            },
          ],
          runbook: 'SeckillPodsShort',
          width: 12,
        }),
        graph({
          title: 'CPU of what was requested',
          question: 'How much of what they were promised do the pods use?',
          reading: 'The measure that the autoscaler goes by: above scaling.cpuUtilization it adds pods.',
          unit: units.PercentUnit,
          thresholds: ['green', [0.6, 'orange'], [1, 'red']],
          queries: [
            {
              expr:
                `sum(rate(container_cpu_usage_seconds_total{${POOL_PODS},container="seckill"}[$__rate_interval]))` +
                ` / sum(kube_pod_container_resource_requests{${POOL_PODS},container="seckill",resource="cpu"})`,
              legend: 'used',
            },
          ],
          runbook: 'SeckillPodsShort',
          width: 12,
        }),
      ],
    },
  ],
};
