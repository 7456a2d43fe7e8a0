import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Ledger } from '../../ledger/ledger.ts';
import type { OrderRow } from '../../ledger/rows.ts';
import { journalKey } from '../../lua/keys.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { encodeHold } from '../../services/domain/hold-message.ts';
import { isLive } from '../../services/domain/order.ts';
import { FAULT_POINTS, type FaultPoint } from '../../services/kit/fault-points.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { Producer } from '../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC } from '../../services/kit/kafka/topics.ts';
import { eventually } from '../support/eventually.ts';
import { pointsOf } from './harness/faults.ts';
import { expectSoldOut } from './harness/judge.ts';
import { operators } from './harness/operators.ts';
import { applySale, type Sale } from './harness/sale.ts';
import { stand, withPlatform } from './harness/stand.ts';

const ORDER_POINTS = pointsOf('order');
const RELAY_POINTS = pointsOf('relay');
const SECKILL_POINTS = pointsOf('seckill');
const REACHED_DEADLINE_MS = 60_000;
/** Far more than it takes; a machine may be busy. */
const timeout = 240_000;
/** Random keys go to every partition, whoever reads it. */
const ALL_PARTITIONS_MESSAGES = 60;
const RESEND_AFTER_MS = 1_000;

const platform = stand({
  operators: 0,
  // A group waits a whole session for a member that was killed: so they are killed at all points in one session.
  orders: ORDER_POINTS.length,
  environment: { relay: { SECKILL_HOLD_RESEND_AFTER_MS: String(RESEND_AFTER_MS) } },
});
const leaders = operators(platform);

async function withProducer(work: (producer: Producer) => Promise<void>): Promise<void> {
  const log = pino({ level: 'silent' });
  const producer = createKafka({ brokers: platform.kafka.brokers, clientId: 'test', log }).producer();
  try {
    await work(producer);
  } finally {
    await producer.close();
  }
}

async function liveOrders(ledger: Ledger, { eventId }: Sale): Promise<OrderRow[]> {
  return (await ledger.orders.page(eventId, 0, 1_000)).filter(({ state }) => isLive(state));
}

/** What the consumers come by in every sale, and what has to be done so that they come by. */
async function provokeOrders(
  sale: Sale,
  tools: { producer: Producer; ledger: Ledger; cancelled: string[]; impersonated: Set<string> },
  missing: readonly FaultPoint[],
): Promise<void> {
  const { producer, ledger, cancelled, impersonated } = tools;
  const many = Array.from({ length: ALL_PARTITIONS_MESSAGES }, () => randomUUID());
  if (missing.includes('order.after-dead-letters')) {
    await producer.send(many.map((key) => ({ topic: HOLDS_TOPIC, key, value: 'no hold at all' })));
  }
  const live = await liveOrders(ledger, sale);
  // A buyer whose order was cancelled may buy again: a forgotten hold of his would be honoured, and rightly so.
  const first = live.find(({ id }) => !impersonated.has(id));
  const last = live.at(-1);
  if (first === undefined || last === undefined || first === last) return;
  if (missing.includes('order.after-void') || missing.includes('order.after-release')) {
    // A hold that Redis forgot, of a buyer who has his unit: it is refused there, becomes void, and is released.
    impersonated.add(last.id);
    const { eventId, bucket, generation, buyer, heldAtMs } = last;
    const forgotten = { v: 1 as const, eventId, bucket, generation, journalId: '1-1', buyer, units: 1, heldAtMs };
    await producer.send(
      many.map((key) => ({ topic: HOLDS_TOPIC, key, value: encodeHold({ ...forgotten, reservationId: key }) })),
    );
  }
  if (missing.includes('order.after-return')) {
    const done = await ledger.orders.cancel({ id: first.id, reason: 'by-test', to: 'CANCELLED' });
    if (done !== undefined) cancelled.push(first.id);
  }
}

test('order consumers that are killed with -9 at each of their points lose no order and make none twice', {
  timeout,
}, async () => {
  await leaders.start();
  const sale = applySale(platform, { units: 3_000 });
  await sale.open();
  platform.faults.plan('order', ORDER_POINTS);
  platform.signal('order', 'SIGTERM');
  const cancelled: string[] = [];
  const impersonated = new Set<string>();
  const plays = await sale.playDuring(() =>
    withPlatform(platform, ({ ledger }) =>
      withProducer((producer) =>
        platform.faults.untilReached(
          ORDER_POINTS,
          (missing) => provokeOrders(sale, { producer, ledger, cancelled, impersonated }, missing),
          REACHED_DEADLINE_MS,
        ),
      ),
    ),
  );
  const judgement = await sale.finish([...plays, await sale.sellOut()], cancelled);
  expectSoldOut(judgement);
  expect(cancelled.length).toBeGreaterThan(0);
});

test('relays that are killed with -9 at each of their points lose no hold', { timeout }, async () => {
  await leaders.start();
  const sale = applySale(platform, { units: 3_000 });
  await sale.open();
  platform.faults.plan('relay', RELAY_POINTS);
  platform.signal('relay', 'SIGKILL');
  const redis = new Redis(platform.redis.url);
  const plays = await sale
    .playDuring(() =>
      platform.faults.untilReached(RELAY_POINTS, (missing) => provokeRelays(sale, redis, missing), REACHED_DEADLINE_MS),
    )
    .finally(() => redis.disconnect());
  expectSoldOut(await sale.finish([...plays, await sale.sellOut()]));
});

async function provokeRelays(sale: Sale, redis: Redis, missing: readonly FaultPoint[]): Promise<void> {
  if (missing.includes('relay.after-dead-letter')) {
    await redis.xadd(journalKey(sale.eventId, 0), '*', 'held', 'no hold at all');
  }
  if (!missing.includes('relay.after-resend')) return;
  // Consumers that say nothing for a while: what they have in hand stays uncommitted.
  platform.signal('order', 'SIGSTOP');
  try {
    const late = { deadlineMs: 3 * RESEND_AFTER_MS };
    await eventually(() => platform.faults.reached('relay.after-resend'), late).catch(() => undefined);
  } finally {
    platform.signal('order', 'SIGCONT');
  }
}

/** The pod of this slot; pods of a sale that is over may still be there. */
async function podOf(sale: Sale, slot: number): Promise<number> {
  return eventually(async () => {
    const records = (await listRecords(stateFolder(platform.stateDir).processes)).map(({ value }) => value);
    const pods = records.filter(({ serves, state }) => serves === sale.key && state === 'running');
    const pid = pods[slot]?.identity?.pid;
    if (pid === undefined) throw new Error(`${pods.length} pods serve ${sale.key}`);
    return pid;
  });
}

test('pods that are killed with -9 at each of their points tell nobody anything that is not so', {
  timeout,
}, async () => {
  let leader = await leaders.start();
  const sale = applySale(platform, { units: 3_000, pods: SECKILL_POINTS.length });
  await sale.open();
  const plays = await sale.playDuring(async () => {
    for (const [slot, point] of SECKILL_POINTS.entries()) {
      await leader.kill();
      leader = await leaders.start({}, platform.faults.environmentOf(point));
      // What starts from now on dies there; the others are as they were.
      process.kill(await podOf(sale, slot), 'SIGKILL');
      await platform.faults.untilReached([point], () => undefined, REACHED_DEADLINE_MS);
    }
  });
  expectSoldOut(await sale.finish([...plays, await sale.sellOut()]));
});

test('no point of a service is left out', () => {
  const visited = [...SECKILL_POINTS, ...RELAY_POINTS, ...ORDER_POINTS];
  expect(visited).toEqual(FAULT_POINTS.filter((point) => !point.startsWith('operator.')));
});
