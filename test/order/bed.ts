import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ledger } from '../../ledger/ledger.ts';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { createStock, type Stock, type StockRef } from '../../lua/stock.ts';
import { encodeHold, type HoldMessage } from '../../services/domain/hold-message.ts';
import type { Attempt, Reservation } from '../../services/domain/reservation.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { Admin, InMessage } from '../../services/kit/kafka/port.ts';
import { log, warmedEvent, wish } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { randomKafkaName } from '../support/kafka.ts';
import { nodeEnv } from '../support/node-env.ts';

const root = join(import.meta.dirname, '../..');
const HOUR_MS = 3_600_000;
const PASSED_DEADLINE_MS = 120_000;

/** What a test opens, closed after it in turn. */
export type Closers = (() => Promise<unknown>)[];

export async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export async function openLink(url: string, closers: Closers): Promise<RedisLink> {
  const link = connectRedis({ url, log, name: 'test', commandTimeoutMs: 5_000 });
  closers.push(() => link.close());
  await link.ready();
  return link;
}

export interface Sale {
  eventId: string;
  ref: StockRef;
  stock: Stock;
  /** Takes a unit for each of so many new buyers; the messages that the relay would bring to Kafka. */
  hold(count: number): Promise<HoldMessage[]>;
  /** A hold of which Redis knows nothing. */
  unheld(changes?: Partial<HoldMessage>): HoldMessage;
  reservation(id: string): Promise<Reservation | undefined>;
  snapshot(): Promise<{ availableUnits: number; heldUnits: number; committedUnits: number }>;
}

/** An open sale, in Redis and in the ledger. The ledger's barrier may be another than the stock's total. */
export async function openSale(o: {
  link: RedisLink;
  ledger: Ledger;
  totalUnits: number;
  ledgerUnits?: number;
  unitsPerBuyer?: number;
  endMs?: number;
  /** Above 1, the sale was recovered before. */
  generation?: number;
}): Promise<Sale> {
  const { link, ledger, totalUnits, unitsPerBuyer = 1, generation = 1 } = o;
  const run = link.current()?.run ?? '';
  const window = { startMs: Date.now() - HOUR_MS, endMs: o.endMs ?? Date.now() + HOUR_MS };
  const { eventId } = await warmedEvent(ledger, {
    ...{ totalUnits: o.ledgerUnits ?? totalUnits, endMs: window.endMs, runs: [run] },
    ...(o.unitsPerBuyer === undefined ? {} : { frozen: { ...wish().frozen, unitsPerBuyer } }),
  });
  for (let next = 2; next <= generation; next += 1) {
    await ledger.events.beginRecovery(eventId, next - 1);
    await ledger.events.finishRecovery(eventId, next, async () => ({ runs: [run] }));
  }
  const ref = { eventId, bucket: 0, generation, run };
  const stock = createStock({ link });
  await stock.preheat(ref, { revision: 1, totalUnits, unitsPerBuyer, ...window });
  await stock.arm(ref, { paused: false });

  let unheldSequence = 0;
  const message = (attempt: Attempt, journalId: string): HoldMessage => ({
    v: 1,
    eventId,
    bucket: 0,
    generation: ref.generation,
    journalId,
    ...attempt,
    heldAtMs: Date.now(),
  });
  return {
    eventId,
    ref,
    stock,
    async hold(count) {
      const attempts = Array.from({ length: count }, () => newAttempt());
      const decision = await stock.reserve(ref, attempts, Date.now() + 10_000);
      if (decision.status !== 'decided') throw new Error(`the bed could not hold: ${JSON.stringify(decision)}`);
      return attempts.map((attempt, index) => {
        const answer = decision.answers[index];
        if (answer?.status !== 'held') throw new Error(`the bed could not hold: ${JSON.stringify(answer)}`);
        return message(attempt, answer.journalId);
      });
    },
    unheld(changes = {}) {
      unheldSequence += 1;
      return { ...message(newAttempt(), `${Date.now() + HOUR_MS}-${unheldSequence}`), ...changes };
    },
    async reservation(id) {
      const found = await stock.lookup(ref, [id]);
      if (found.status !== 'found') throw new Error(`the reservation cannot be read: ${JSON.stringify(found)}`);
      const [reservation] = found.reservations;
      if (reservation?.state === 'malformed') throw new Error('the reservation is broken');
      return reservation;
    },
    async snapshot() {
      const snapshot = await stock.snapshot(ref);
      if (snapshot.status !== 'ok') throw new Error(`the stock cannot be read: ${JSON.stringify(snapshot)}`);
      const { availableUnits, heldUnits, committedUnits } = snapshot;
      return { availableUnits, heldUnits, committedUnits };
    },
  };
}

function newAttempt(): Attempt {
  return { reservationId: randomUUID(), buyer: `buyer-${randomUUID()}`, units: 1 };
}

export interface Topic {
  holds: string;
  dead: string;
  group: string;
  admin: Admin;
  /** Resolves when Kafka has them. */
  send(messages: readonly (HoldMessage | { key: string; value: string })[]): Promise<void>;
  /** Resolves when the group's offsets have reached the end of every partition. */
  passed(): Promise<void>;
  lag(): Promise<bigint>;
  deadLetters(): InMessage[];
}

/** Topics and a group of this test alone. */
export async function newTopic(brokers: string[], closers: Closers, partitions = 2): Promise<Topic> {
  const kafka = createKafka({ brokers, clientId: 'test', log });
  const admin = kafka.admin();
  const producer = kafka.producer();
  const [holds, dead, group] = [randomKafkaName('holds'), randomKafkaName('dead'), randomKafkaName('order')];
  // A broker that is busy may not know yet what it has just created.
  await eventually(() => admin.ensureTopic({ topic: holds, partitions, replicationFactor: 1 }), { intervalMs: 200 });
  await eventually(() => admin.ensureTopic({ topic: dead, partitions: 1, replicationFactor: 1 }), { intervalMs: 200 });
  const letters: InMessage[] = [];
  const reader = kafka.consumer({
    groupId: `${dead}.watch`,
    topic: dead,
    chunkMaxMessages: 100,
    onChunk: async (chunk) => {
      letters.push(...chunk);
    },
  });
  await reader.start();
  closers.push(() => Promise.all([reader.stop(), producer.close(), admin.close()]));

  async function lag(): Promise<bigint> {
    const ends = await admin.endOffsets(holds);
    const taken = await admin.takenOffsets(group, holds);
    let sum = 0n;
    for (const [partition, end] of ends) sum += end - (taken.get(partition) ?? 0n);
    return sum;
  }
  return {
    holds,
    dead,
    group,
    admin,
    lag,
    send: (messages) =>
      producer.send(
        messages.map((message) =>
          'value' in message
            ? { topic: holds, ...message }
            : { topic: holds, key: message.reservationId, value: encodeHold(message) },
        ),
      ),
    passed: () =>
      eventually(
        async () => {
          const left = await lag();
          if (left > 0n) throw new Error(`the consumers are ${left} messages behind`);
        },
        { deadlineMs: PASSED_DEADLINE_MS, intervalMs: 50 },
      ),
    deadLetters: () => letters,
  };
}

export interface OrderProcess {
  child: ChildProcess;
  url(): Promise<string>;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface OrderEnvironment {
  redisUrl: string;
  mysqlUrl: string;
  brokers: string[];
  topic: Topic;
  /** A folder for the token keys and the marker of a fault. */
  dir: string;
  fault?: string;
}

/** The real process. With a fault it dies there once; one that is started after it lives. */
export function spawnOrder(o: OrderEnvironment, closers: Closers): OrderProcess {
  const keysFile = join(o.dir, 'token-keys.json');
  writeFileSync(keysFile, JSON.stringify({ current: 'k1', keys: { k1: Buffer.alloc(32, 7).toString('base64') } }));
  const child = spawn(process.execPath, ['services/order/main.ts'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...nodeEnv(),
      SECKILL_REDIS_URL: o.redisUrl,
      SECKILL_MYSQL_URL: o.mysqlUrl,
      SECKILL_KAFKA_BROKERS: o.brokers.join(','),
      SECKILL_HOLDS_TOPIC: o.topic.holds,
      SECKILL_HOLDS_DEAD_TOPIC: o.topic.dead,
      SECKILL_ORDER_GROUP: o.topic.group,
      SECKILL_TOKEN_KEYS_FILE: keysFile,
      SECKILL_PORT: '0',
      ...(o.fault === undefined
        ? {}
        : { SECKILL_FAULT: o.fault, SECKILL_FAULT_MARKER: join(o.dir, `${o.topic.group}.marker`) }),
    },
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (process.env['SECKILL_TEST_LOG'] !== undefined) process.stderr.write(text);
  });
  closers.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  return {
    child,
    exited,
    url: () =>
      eventually(() => {
        const found = /"url":"([^"]+)"/.exec(output)?.[1];
        if (found === undefined) throw new Error(`the process does not listen: ${output}`);
        return found;
      }),
  };
}
