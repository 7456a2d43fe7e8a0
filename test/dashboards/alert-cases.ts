/**
 * When each alert must fire, and when not. Everything is calm for 60 s, at the very edge of what is still well; then it
 * turns bad, as little as possible. The alert must be silent one second before its time and fire at its time.
 */
export interface AlertCase {
  alert: string;
  /** What sets it apart from other cases of this alert. */
  when?: string;
  /** The description that people read, with its values. */
  says: string;
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
const stalled = (reason: string): string => `seckill_event_stalled{${EVENT_LABELS},reason="${reason}"}`;
/** The same series as another operator or another release tells it. */
const from = (labels: string, series: string): string => series.replace('{', `{${labels},`);

const NUMBERS: Readonly<Record<string, string>> = {
  oversold: '1 units are sold above the total.',
  undersold: '1 units are left after closing, although they were refused.',
  broken: '1 buyers were told of a reservation that never became an order.',
  phantom: '1 orders have no reservation in Redis.',
  overLimit: '1 buyers are above their limit.',
  drift: 'the stock and the orders differ by 1.',
};
const nameOf = (number: string): string => `${number.charAt(0).toUpperCase()}${number.slice(1)}`;
/** Of those phases of a sale that the audit must know, all but Open, which the other cases have. */
const ALSO_RUNNING = ['Armed', 'Paused', 'SoldOut', 'Closing'];

const NOT_ARMED = 'shop/phone opens within five minutes and is not armed. What keeps it:';
const LATE = 'The window of shop/phone has begun and its phase is still';
const BUDGET = 'heard nothing definite; 0.1 % are allowed.';
const NO_RELAY =
  'Nothing leaves the journals, or nobody knows: no relay tells how many entries wait while a sale runs.';
const NO_LEADER = 'armed sales open and close by themselves, and nothing else is looked after.';

export const ALERT_CASES: readonly AlertCase[] = [
  ...Object.entries(NUMBERS).flatMap(([number, says]): AlertCase[] => [
    {
      alert: `Seckill${nameOf(number)}`,
      firesAt: 65,
      says: `shop/phone: ${says}`,
      labels: { ...EVENT, number },
      // Another number that is wrong at the same time is another alert.
      input: { [accuracy(number)]: turns(0, 1), [accuracy(number === 'drift' ? 'broken' : 'drift')]: stays(0) },
    },
    {
      alert: `Seckill${nameOf(number)}Unknown`,
      firesAt: 120,
      says: `shop/phone runs, and the audit has told no number ${number} for a minute.`,
      labels: EVENT,
      input: { [phase('Open')]: stays(1), [accuracy(number)]: turns(0, 'gone') },
    },
  ]),
  ...ALSO_RUNNING.map(
    (name): AlertCase => ({
      alert: 'SeckillDriftUnknown',
      when: `the sale is ${name}`,
      firesAt: 120,
      says: 'shop/phone runs, and the audit has told no number drift for a minute.',
      labels: EVENT,
      input: { [phase(name)]: stays(1), [accuracy('drift')]: turns(0, 'gone') },
    }),
  ),
  {
    // The rule says time() - timestamp: the audit of second 60 was the last one.
    alert: 'SeckillAuditStale',
    firesAt: 136,
    says: 'The last complete audit of shop/phone ended 1m 16s ago: the six numbers are as old.',
    labels: EVENT,
    input: {
      [phase('Open')]: stays(1),
      [event('seckill_audit_completed_timestamp_seconds')]: `0+1x60 60+0x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillAuditUnknown',
    firesAt: 120,
    says: 'shop/phone runs, and for a minute no leader has told of a complete audit.',
    labels: EVENT,
    // The next leader shows the numbers that the last one saved, and completes no audit of its own.
    input: {
      [phase('Open')]: stays(1),
      [accuracy('drift')]: stays(0),
      [event('seckill_audit_completed_timestamp_seconds')]: turns(0, 'gone'),
    },
  },
  {
    alert: 'SeckillNotArmed',
    firesAt: 75,
    says: `${NOT_ARMED} RedisAof.`,
    labels: EVENT,
    input: {
      [event('seckill_event_armed')]: stays(0),
      [phase('Preheating')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `359-1x${LASTS_SECONDS}`,
      [`seckill_event_check_failing{${EVENT_LABELS},check="RedisAof",blocking="true"}`]: stays(1),
      [`seckill_event_check_failing{${EVENT_LABELS},check="Floor",blocking="false"}`]: stays(1),
    },
  },
  {
    alert: 'SeckillNotArmed',
    when: 'the sale waits for its predecessor',
    firesAt: 75,
    says: `${NOT_ARMED} PredecessorUnsettled.`,
    labels: EVENT,
    input: {
      [event('seckill_event_armed')]: stays(0),
      [phase('Scheduled')]: stays(1),
      [stalled('PredecessorUnsettled')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `359-1x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillPodsShort',
    firesAt: 70,
    says: 'shop/phone opens within a minute and lacks 1 of its pods.',
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
    says: `${LATE} Armed.`,
    labels: { ...EVENT, phase: 'Armed' },
    input: {
      [phase('Armed')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `58-1x${LASTS_SECONDS}`,
      [event('seckill_event_seconds_to_end')]: stays(600),
    },
  },
  {
    alert: 'SeckillNotOpenOnTime',
    when: 'another leader came after the opening',
    firesAt: 65,
    says: `${LATE} Preheating.`,
    labels: { ...EVENT, phase: 'Preheating' },
    input: {
      [from('instance="operator-0"', event('seckill_event_seconds_to_opening'))]: `58-1x57 stale _x${LASTS_SECONDS}`,
      [from('instance="operator-1"', event('seckill_event_seconds_to_opening'))]: `_x59 -1-1x${LASTS_SECONDS}`,
      [from('instance="operator-1"', phase('Preheating'))]: turns('absent', 1),
      [from('instance="operator-1"', event('seckill_event_seconds_to_end'))]: turns('absent', 600),
    },
  },
  {
    alert: 'SeckillPodsLost',
    firesAt: 70,
    says: 'shop/phone is on sale, and only 1 of its pods are ready: fewer than half of those it wants.',
    labels: EVENT,
    input: {
      [phase('Open')]: stays(1),
      [event('seckill_pods_wanted')]: stays(4),
      [event('seckill_pods_ready')]: turns(2, 1),
    },
  },
  {
    alert: 'SeckillLatencyHigh',
    firesAt: 120,
    says: 'The 99th percentile of the purchase route is 50.1ms; the target is 50 ms.',
    input: { 'seckill:answer_seconds:p99_30s': turns(0.05, 0.0501) },
  },
  {
    alert: 'SeckillErrorBudgetFast',
    firesAt: 75,
    says: `1.45% of the admitted attempts in the last minute ${BUDGET}`,
    input: {
      'seckill:bad_answers:ratio1m': turns(0.0144, 0.0145),
      'seckill:bad_answers:ratio5m': turns(0.0144, 0.0145),
    },
  },
  {
    alert: 'SeckillErrorBudgetFast',
    when: 'a small sale fails beside a large one',
    firesAt: 75,
    says: `1.45% of the admitted attempts of shop/phone in the last minute ${BUDGET}`,
    labels: EVENT,
    input: {
      'seckill:bad_answers:ratio1m': stays(0.001),
      'seckill:bad_answers:ratio5m': stays(0.001),
      'seckill:event_bad_answers:ratio1m{event="shop/phone"}': stays(0.0145),
      'seckill:event_bad_answers:ratio5m{event="shop/phone"}': stays(0.0145),
      'seckill:event_bad_answers:increase5m{event="shop/phone"}': turns(10, 10.1),
    },
  },
  {
    alert: 'SeckillErrorBudgetSlow',
    firesAt: 180,
    says: `0.31% of the admitted attempts of the last five minutes ${BUDGET}`,
    input: {
      'seckill:bad_answers:ratio5m': turns(0.003, 0.0031),
      'seckill:bad_answers:ratio1h': turns(0.003, 0.0031),
    },
  },
  {
    alert: 'SeckillHoldUncommitted',
    firesAt: 75,
    says: 'The oldest hold of shop/phone that is not committed is 1m 0s old.',
    labels: EVENT,
    input: { [event('seckill_oldest_uncommitted_hold_seconds')]: turns(60, 60.1) },
  },
  {
    // Acknowledged until second 60; the window of the rate is empty from 90 on.
    alert: 'SeckillRelayStalled',
    firesAt: 120,
    says: 'Nothing leaves the journals: 1 entries wait.',
    input: {
      'seckill_relay_lag_messages{role="relay"}': stays(1),
      'seckill_relay_acknowledged_total{role="relay"}': stops(5),
    },
  },
  {
    alert: 'SeckillRelayStalled',
    when: 'no relay is there, or none can measure',
    firesAt: 90,
    says: NO_RELAY,
    input: { [phase('Open')]: stays(1), 'seckill_relay_lag_messages{role="relay"}': turns(0, 'gone') },
  },
  {
    alert: 'SeckillRelayStalled',
    when: 'the relays of another release are well',
    firesAt: 90,
    says: NO_RELAY,
    labels: { namespace: 'a' },
    input: {
      [from('namespace="a"', phase('Open'))]: stays(1),
      'seckill_relay_lag_messages{namespace="a"}': turns(0, 'gone'),
      'seckill_relay_lag_messages{namespace="b"}': stays(0),
      'seckill_relay_acknowledged_total{namespace="b"}': `0+5x${LASTS_SECONDS}`,
    },
  },
  {
    alert: 'SeckillConsumerStuck',
    firesAt: 120,
    says: '7 messages wait in the topic of holds, no fewer than before, and no row is stored.',
    input: {
      'seckill_consumer_lag_messages{role="operator"}': stays(7),
      'seckill_order_rows_total{role="order",outcome="new"}': stops(5),
    },
  },
  {
    alert: 'SeckillRedisPolicy',
    firesAt: 65,
    says: "operator-0 says: the maxmemory-policy of Redis is not noeviction. Under pressure it may delete a sale's stock.",
    labels: { instance: 'operator-0' },
    input: { 'seckill_redis_policy_noeviction{role="operator",instance="operator-0"}': turns(1, 0) },
  },
  {
    alert: 'SeckillRedisPersistence',
    firesAt: 75,
    says: 'operator-0 says: the append-only file of Redis is off, or its last write failed. A restart would forget holds.',
    labels: { instance: 'operator-0' },
    input: { 'seckill_redis_aof_healthy{role="operator",instance="operator-0"}': turns(1, 0) },
  },
  {
    alert: 'SeckillRedisMemory',
    firesAt: 90,
    says: 'Redis uses 90.1% of its memory. When it is full every attempt is refused.',
    input: {
      'seckill_redis_memory_max_bytes{role="operator"}': stays(1_000),
      'seckill_redis_memory_used_bytes{role="operator"}': turns(900, 901),
    },
  },
  {
    alert: 'SeckillRedisMemory',
    when: 'the Redis of another release is larger',
    firesAt: 90,
    says: 'Redis uses 90.1% of its memory. When it is full every attempt is refused.',
    labels: { namespace: 'a' },
    input: {
      'seckill_redis_memory_max_bytes{namespace="a"}': stays(1_000),
      'seckill_redis_memory_used_bytes{namespace="a"}': turns(900, 901),
      'seckill_redis_memory_max_bytes{namespace="b"}': stays(9_000),
      'seckill_redis_memory_used_bytes{namespace="b"}': stays(8_000),
    },
  },
  {
    alert: 'SeckillNoLeader',
    firesAt: 90,
    says: `0 operators lead: ${NO_LEADER}`,
    input: {
      'seckill_operator_leader{instance="operator-0"}': turns(1, 'gone'),
      'seckill_operator_leader{instance="operator-1"}': stays(0),
      'seckill_answers_peak_per_second{instance="operator-1"}': stays(0),
    },
  },
  {
    alert: 'SeckillNoLeader',
    when: 'another release has one',
    firesAt: 90,
    says: `0 operators lead in a: ${NO_LEADER}`,
    labels: { namespace: 'a' },
    input: {
      'seckill_operator_leader{namespace="a"}': turns(1, 'gone'),
      'seckill_operator_leader{namespace="b"}': stays(1),
      'seckill_answers_peak_per_second{namespace="a",role="order"}': stays(0),
      'seckill_answers_peak_per_second{namespace="b",role="order"}': stays(0),
    },
  },
  {
    alert: 'SeckillNoLeader',
    when: 'no process is read at all',
    firesAt: 90,
    says: `0 operators lead: ${NO_LEADER}`,
    input: {
      'seckill_operator_leader{instance="operator-0"}': turns(1, 'gone'),
      'seckill_answers_peak_per_second{instance="operator-0"}': turns(0, 'gone'),
    },
  },
  {
    alert: 'SeckillEventRecovering',
    firesAt: 75,
    says: 'shop/phone is Recovering: its stock is rebuilt from the ledger.',
    labels: EVENT,
    input: { [phase('Recovering')]: turns('absent', 1) },
  },
  {
    alert: 'SeckillStockRebuilt',
    firesAt: 60,
    says: 'The live stock of shop/phone was rebuilt from the ledger. Rebuilds within ten minutes: 1.',
    labels: EVENT,
    // Another operator may lead since.
    input: {
      [from('instance="operator-0"', event('seckill_event_rebuilds'))]: turns(2, 'gone'),
      [from('instance="operator-1"', event('seckill_event_rebuilds'))]: turns('absent', 3),
    },
  },
  {
    alert: 'SeckillEventFailed',
    firesAt: 65,
    says: 'shop/phone is Failed: it never sold anything, and its window is over.',
    labels: EVENT,
    input: { [phase('Failed')]: turns('absent', 1) },
  },
  {
    alert: 'SeckillEventStalled',
    firesAt: 75,
    says: 'shop/phone waits for a person: PredecessorUnsettled.',
    labels: { ...EVENT, reason: 'PredecessorUnsettled' },
    input: { [stalled('PredecessorUnsettled')]: turns('absent', 1) },
  },
  {
    alert: 'SeckillEventNotInFull',
    firesAt: 120,
    says: 'shop/phone runs, and the leader shows its phase only: too many sales are nearer to their window.',
    labels: EVENT,
    input: { [phase('Open')]: stays(1), [event('seckill_event_seconds_to_opening')]: turns(-1, 'gone') },
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
    what: 'a sale that was applied after its start, while its pods come up',
    alert: 'SeckillNotOpenOnTime',
    input: {
      [phase('Preheating')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `-100-1x${LASTS_SECONDS}`,
      [event('seckill_event_seconds_to_end')]: stays(600),
    },
  },
  {
    what: 'a sale whose window is over before it was armed: it fails, it is not late',
    alert: 'SeckillNotOpenOnTime',
    input: {
      [phase('Preheating')]: stays(1),
      [event('seckill_event_seconds_to_opening')]: `40-1x${LASTS_SECONDS}`,
      [event('seckill_event_seconds_to_end')]: `42-1x${LASTS_SECONDS}`,
    },
  },
  {
    what: 'a sale that is over, and whose pods go',
    alert: 'SeckillPodsLost',
    input: {
      [phase('Open')]: turns(1, 'gone'),
      [phase('Closing')]: turns('absent', 1),
      [event('seckill_pods_wanted')]: stays(2),
      [event('seckill_pods_ready')]: turns(2, 0),
    },
  },
  {
    what: 'the audit of a sale that is settled and stays on show',
    alert: 'SeckillAuditStale',
    input: {
      [phase('Settled')]: stays(1),
      [event('seckill_audit_completed_timestamp_seconds')]: stays(0),
    },
  },
  {
    what: 'an audit that is told by the leader that goes and by the one that comes',
    alert: 'SeckillAuditUnknown',
    input: {
      [from('instance="operator-0"', phase('Open'))]: turns(1, 'gone'),
      [from('instance="operator-0"', event('seckill_audit_completed_timestamp_seconds'))]: turns(1, 'gone'),
      [from('instance="operator-1"', phase('Open'))]: turns('absent', 1),
      [from('instance="operator-1"', event('seckill_audit_completed_timestamp_seconds'))]: `_x99 99+1x${LASTS_SECONDS}`,
    },
  },
  {
    what: 'a number of the leader that goes, which the one that comes does not see',
    alert: 'SeckillDrift',
    input: {
      [from('instance="operator-0"', accuracy('drift'))]: `0+0x55 1+0x4 stale _x${LASTS_SECONDS}`,
      [from('instance="operator-1"', accuracy('drift'))]: turns('absent', 0),
    },
  },
  {
    what: 'a burst that is over, of which only the long window still knows',
    alert: 'SeckillErrorBudgetFast',
    input: {
      'seckill:bad_answers:ratio1m': turns(0.5, 0.0144),
      'seckill:bad_answers:ratio5m': `0+0x59 0.5+0x${LASTS_SECONDS}`,
    },
  },
  {
    what: 'a burst that has just begun, of which the long window does not know yet',
    alert: 'SeckillErrorBudgetFast',
    input: { 'seckill:bad_answers:ratio1m': stays(0.5), 'seckill:bad_answers:ratio5m': stays(0.0144) },
  },
  {
    what: 'five bad minutes of a good hour',
    alert: 'SeckillErrorBudgetSlow',
    input: { 'seckill:bad_answers:ratio5m': stays(0.5), 'seckill:bad_answers:ratio1h': stays(0.003) },
  },
  {
    what: 'a bad hour that is over',
    alert: 'SeckillErrorBudgetSlow',
    input: { 'seckill:bad_answers:ratio5m': stays(0.003), 'seckill:bad_answers:ratio1h': stays(0.5) },
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
    what: 'no relay, while no sale runs',
    alert: 'SeckillRelayStalled',
    input: { [phase('Scheduled')]: stays(1) },
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
    what: 'consumers that take what is there already, so that no row is new and the lag falls',
    alert: 'SeckillConsumerStuck',
    input: { 'seckill_consumer_lag_messages{role="operator"}': `90000-100x${LASTS_SECONDS}` },
  },
  {
    what: 'a leader that another one follows within seconds',
    alert: 'SeckillNoLeader',
    input: {
      'seckill_operator_leader{instance="operator-0"}': turns(1, 'gone'),
      'seckill_operator_leader{instance="operator-1"}': `0+0x79 1+0x${LASTS_SECONDS}`,
      'seckill_answers_peak_per_second{instance="operator-1"}': stays(0),
    },
  },
  {
    what: 'a sale that was rebuilt long ago, under a leader that is new',
    alert: 'SeckillStockRebuilt',
    input: { [event('seckill_event_rebuilds')]: turns('absent', 3) },
  },
];
