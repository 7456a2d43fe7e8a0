/**
 * When each alert must fire, and when not. Everything is calm for 60 s, at the very edge of what is still well; then it
 * turns bad, as little as possible. The alert must be silent one second before its time and fire at its time.
 */
export interface AlertCase {
  alert: string;
  /** Labels of the firing alert, besides its name and severity. */
  labels?: Record<string, string>;
  /** Series and their values, one each second. */
  input: Record<string, string>;
  /** The second in which it must fire, and not before. */
  firesAt: number;
}

const LASTS_SECONDS = 200;
const EVENT = { event: 'shop/phone' };
const EVENT_LABELS = 'event="shop/phone",role="operator"';

/** One value for 60 s, another one from then on. `gone`: the series ends. */
function turns(calm: number | 'absent', bad: number | 'gone'): string {
  const before = calm === 'absent' ? '_x60' : `${calm}+0x59`;
  return `${before} ${bad === 'gone' ? `stale _x${LASTS_SECONDS}` : `${bad}+0x${LASTS_SECONDS}`}`;
}

const stays = (value: number): string => `${value}+0x${LASTS_SECONDS}`;
/** Counts on by so much each second, and stops after 60 s. */
const stops = (perSecond: number): string => `0+${perSecond}x60 ${60 * perSecond}+0x${LASTS_SECONDS}`;

const accuracy = (number: string): string => `seckill_accuracy{${EVENT_LABELS},number="${number}"}`;
const phase = (name: string): string => `seckill_event_phase{${EVENT_LABELS},phase="${name}"}`;
const event = (metric: string): string => `${metric}{${EVENT_LABELS}}`;

const NUMBERS = ['oversold', 'undersold', 'broken', 'phantom', 'overLimit', 'drift'] as const;
const nameOf = (number: string): string => `${number.charAt(0).toUpperCase()}${number.slice(1)}`;

export const ALERT_CASES: readonly AlertCase[] = [
  ...NUMBERS.flatMap((number): AlertCase[] => [
    {
      alert: `Seckill${nameOf(number)}`,
      firesAt: 65,
      labels: { ...EVENT, number },
      // Another number that is wrong at the same time is another alert.
      input: { [accuracy(number)]: turns(0, 1), [accuracy(number === 'drift' ? 'broken' : 'drift')]: stays(0) },
    },
    {
      alert: `Seckill${nameOf(number)}Unknown`,
      firesAt: 120,
      labels: EVENT,
      input: { [phase('Open')]: stays(1), [accuracy(number)]: turns(0, 'gone') },
    },
  ]),
  {
    // The rule says time() - timestamp: the audit of second 60 was the last one.
    alert: 'SeckillAuditStale',
    firesAt: 136,
    labels: EVENT,
    input: {
      [phase('Open')]: stays(1),
      [event('seckill_audit_completed_timestamp_seconds')]: `0+1x60 60+0x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillNotArmed',
    firesAt: 75,
    labels: EVENT,
    input: {
      [event('seckill_event_armed')]: stays(0),
      [phase('Preheating')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `359-1x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillPodsShort',
    firesAt: 70,
    labels: EVENT,
    input: {
      [event('seckill_pods_wanted')]: stays(4),
      [event('seckill_pods_ready')]: stays(3),
      [event('seckill_event_seconds_to_opening')]: `119-1x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillNotOpenOnTime',
    firesAt: 65,
    labels: { ...EVENT, phase: 'Armed' },
    input: {
      [phase('Armed')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `58-1x${LASTS_SECONDS}`,
      [event('seckill_event_seconds_to_end')]: stays(600),
    },
  },
  { alert: 'SeckillLatencyHigh', firesAt: 120, input: { 'seckill:answer_seconds:p99_30s': turns(0.05, 0.0501) } },
  {
    alert: 'SeckillErrorBudgetFast',
    firesAt: 75,
    input: {
      'seckill:bad_answers:ratio1m': turns(0.0144, 0.0145),
      'seckill:bad_answers:ratio5m': turns(0.0144, 0.0145),
    },
  },
  {
    alert: 'SeckillErrorBudgetSlow',
    firesAt: 180,
    input: {
      'seckill:bad_answers:ratio5m': turns(0.003, 0.0031),
      'seckill:bad_answers:ratio1h': turns(0.003, 0.0031),
    },
  },
  {
    alert: 'SeckillHoldUncommitted',
    firesAt: 75,
    labels: EVENT,
    input: { [event('seckill_oldest_uncommitted_hold_seconds')]: turns(60, 60.1) },
  },
  {
    // Acknowledged until second 60; the window of the rate is empty from 90 on.
    alert: 'SeckillRelayStalled',
    firesAt: 120,
    input: {
      'seckill_relay_lag_messages{role="relay"}': stays(1),
      'seckill_relay_acknowledged_total{role="relay"}': stops(5),
    },
  },
  {
    alert: 'SeckillConsumerStuck',
    firesAt: 120,
    input: {
      'seckill_consumer_lag_messages{role="operator"}': stays(7),
      'seckill_order_rows_total{role="order",outcome="new"}': stops(5),
    },
  },
  {
    alert: 'SeckillRedisPolicy',
    firesAt: 65,
    input: { 'seckill_redis_policy_noeviction{role="operator"}': turns(1, 0) },
  },
  {
    alert: 'SeckillRedisPersistence',
    firesAt: 75,
    input: { 'seckill_redis_aof_healthy{role="operator"}': turns(1, 0) },
  },
  {
    alert: 'SeckillRedisMemory',
    firesAt: 90,
    input: {
      'seckill_redis_memory_max_bytes{role="operator"}': stays(1_000),
      'seckill_redis_memory_used_bytes{role="operator"}': turns(900, 901),
    },
  },
  {
    alert: 'SeckillNoLeader',
    firesAt: 90,
    input: {
      'seckill_operator_leader{instance="operator-0"}': turns(1, 'gone'),
      'seckill_operator_leader{instance="operator-1"}': stays(0),
    },
  },
  { alert: 'SeckillEventRecovering', firesAt: 75, labels: EVENT, input: { [phase('Recovering')]: turns('absent', 1) } },
  { alert: 'SeckillEventFailed', firesAt: 65, labels: EVENT, input: { [phase('Failed')]: turns('absent', 1) } },
  {
    alert: 'SeckillEventStalled',
    firesAt: 75,
    labels: { ...EVENT, reason: 'PredecessorUnsettled' },
    input: {
      [`seckill_event_stalled{${EVENT_LABELS},reason="PredecessorUnsettled"}`]: turns('absent', 1),
    },
  },
];

/** What must not wake anybody, although it looks like a fault for a moment. */
export const CALM_CASES: readonly { what: string; alert: string; input: Record<string, string> }[] = [
  {
    what: 'a sale whose preheat begins later than five minutes before its opening',
    alert: 'SeckillNotArmed',
    input: {
      [event('seckill_event_armed')]: stays(0),
      [phase('Scheduled')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: stays(200),
    },
  },
  {
    what: 'a pipeline that works under load, with something on its way at every look',
    alert: 'SeckillRelayStalled',
    input: {
      'seckill_relay_lag_messages{role="relay"}': stays(900),
      'seckill_relay_acknowledged_total{role="relay"}': `0+500x${LASTS_SECONDS}`,
    },
  },
  {
    what: 'consumers that are behind and catch up',
    alert: 'SeckillConsumerStuck',
    input: {
      'seckill_consumer_lag_messages{role="operator"}': `90000-100x${LASTS_SECONDS}`,
      'seckill_order_rows_total{role="order",outcome="new"}': `0+100x${LASTS_SECONDS}`,
    },
  },
  {
    what: 'a leader that another one follows within seconds',
    alert: 'SeckillNoLeader',
    input: {
      'seckill_operator_leader{instance="operator-0"}': turns(1, 'gone'),
      'seckill_operator_leader{instance="operator-1"}': `0+0x79 1+0x${LASTS_SECONDS}`,
    },
  },
];
