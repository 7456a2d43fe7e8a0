import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';
import { encodeHold } from '../services/domain/hold-message.ts';
import { RESERVE_BATCH_MAX_ATTEMPTS } from '../services/domain/limits.ts';
import { systemClock } from '../services/kit/clock.ts';
import { createFaults } from '../services/kit/fault-points.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import { HOLDS_PARTITIONS } from '../services/kit/kafka/topics.ts';
import type { Log } from '../services/kit/log.ts';
import { CLAIM_IDLE_MS } from '../services/relay/limits.ts';
import { startRelay } from '../services/relay/relay.ts';
import { figureOf, type Part, spoken } from './figure.ts';
import { BENCH_SALE_MS, POLL_MS, RELAY_MESSAGES, ROUND_MAX_MS, ROUNDS } from './limits.ts';
import { type Bench, openSale, register } from './sale.ts';
import { newAttempts } from './script.ts';

interface Sent {
  perSecond: number;
  /** Messages of a send, on average. */
  sendSize: number;
}

/** The relay brings a full journal to Kafka; the baseline sends as many messages of the same size, plainly. */
export async function benchRelay({
  bench,
  brokers,
  log,
}: {
  bench: Bench;
  brokers: string[];
  log: Log;
}): Promise<Part> {
  const kafka = createKafka({ brokers, clientId: 'bench', log });
  const admin = kafka.admin();
  const plain = new Kafka({ brokers, clientId: 'bench-plain', logLevel: logLevel.NOTHING }).producer();
  await plain.connect();
  const rounds: { relay: Sent; plain: Sent }[] = [];
  try {
    for (let round = -1; round < ROUNDS; round += 1) {
      const topic = `bench-${randomBytes(5).toString('hex')}`;
      await admin.ensureTopic({ topic, partitions: HOLDS_PARTITIONS, replicationFactor: 1 });
      const relay = await relayRound({ bench, brokers, log, topic });
      const baseline = await plainRound(plain, topic, Math.round(relay.sendSize));
      if (round >= 0) rounds.push({ relay, plain: baseline });
    }
  } finally {
    await Promise.all([plain.disconnect(), admin.close()]);
  }
  const of = (read: (round: { relay: Sent; plain: Sent }) => number): number[] => rounds.map(read);
  return {
    figures: [
      figureOf(
        'relay, messages/s',
        0.8,
        rounds.map(({ relay, plain: { perSecond } }) => ({ own: relay.perSecond, baseline: perSecond })),
      ),
    ],
    details: [
      {
        what: 'relay',
        value: spoken(
          of(({ relay }) => relay.perSecond),
          'messages/s',
        ),
      },
      {
        what: 'relay, messages of a send',
        value: spoken(
          of(({ relay }) => relay.sendSize),
          'messages',
        ),
      },
      {
        what: 'plain kafkajs sendBatch of the same size',
        value: spoken(
          of((one) => one.plain.perSecond),
          'messages/s',
        ),
      },
    ],
  };
}

async function relayRound(o: { bench: Bench; brokers: string[]; log: Log; topic: string }): Promise<Sent> {
  const { bench, brokers, log, topic } = o;
  const sale = await openSale(bench);
  for (let made = 0; made < RELAY_MESSAGES; made += RESERVE_BATCH_MAX_ATTEMPTS) {
    const attempts = newAttempts(Math.min(RESERVE_BATCH_MAX_ATTEMPTS, RELAY_MESSAGES - made));
    await bench.stock.reserve(sale.ref, attempts, Number.MAX_SAFE_INTEGER);
  }
  const kafka = createKafka({ brokers, clientId: 'bench-relay', log });
  const [producer, deadProducer] = [kafka.producer(), kafka.producer()];
  await producer.connect();
  let beganMs = 0;
  let sends = 0;
  let acknowledged = 0;
  let endedMs = 0;
  const relay = startRelay({
    link: bench.link,
    producer,
    deadProducer,
    topics: { holds: topic, dead: `${topic}.dead` },
    consumer: 'bench',
    claimIdleMs: CLAIM_IDLE_MS,
    resendAfterMs: BENCH_SALE_MS,
    counts: {
      add: (what, count) => {
        if (what !== 'acknowledged') return;
        acknowledged += count;
        endedMs = performance.now();
      },
    },
    onSent: (_messages, seconds) => {
      if (beganMs === 0) beganMs = performance.now() - seconds * 1_000;
      sends += 1;
    },
    clock: systemClock,
    faults: createFaults({}),
    log,
  });
  try {
    await register(bench, sale);
    await until(() => acknowledged >= RELAY_MESSAGES);
  } finally {
    await relay.stop();
    await Promise.all([producer.close(), deadProducer.close()]);
  }
  return { perSecond: (RELAY_MESSAGES * 1_000) / (endedMs - beganMs), sendSize: RELAY_MESSAGES / sends };
}

async function plainRound(producer: Producer, topic: string, sendSize: number): Promise<Sent> {
  const messages: Message[] = newAttempts(RELAY_MESSAGES).map(({ reservationId, buyer, units }) => {
    const heldAtMs = Date.now();
    const identity = { v: 1, eventId: 'bench.sale-0123456789.1', bucket: 0, generation: 1 } as const;
    const value = encodeHold({ ...identity, journalId: `${heldAtMs}-1`, reservationId, buyer, units, heldAtMs });
    return { key: reservationId, value };
  });
  const beganMs = performance.now();
  for (let at = 0; at < messages.length; at += sendSize) {
    await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages: messages.slice(at, at + sendSize) }] });
  }
  return { perSecond: (RELAY_MESSAGES * 1_000) / (performance.now() - beganMs), sendSize };
}

/** Polls until it is so; a benchmark that hangs says so. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + ROUND_MAX_MS;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error(`a round was not over after ${ROUND_MAX_MS} ms`);
    await pause(POLL_MS);
  }
}
