import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { createJournal } from '../../lua/journal.ts';
import { writeRegistry } from '../../lua/registry.ts';
import { createStock, type Stock, type StockRef } from '../../lua/stock.ts';
import { eventIdOf } from '../../services/domain/event.ts';
import { type HoldMessage, parseHold } from '../../services/domain/hold-message.ts';
import type { Attempt } from '../../services/domain/reservation.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { eventually } from '../support/eventually.ts';
import { randomKafkaName } from '../support/kafka.ts';
import { randomEventName } from '../support/names.ts';
import { nodeEnv } from '../support/node-env.ts';

const root = join(import.meta.dirname, '../..');
const DAY_MS = 86_400_000;
const BATCH_ATTEMPTS = 100;

export const log = pino({ level: process.env['SECKILL_TEST_LOG'] ?? 'silent' });

/** What a test opens, closed after it in turn. */
export type Closers = (() => Promise<unknown>)[];

export function openLink(url: string, closers: Closers): RedisLink {
  const link = connectRedis({ url, log, name: 'test', commandTimeoutMs: 5_000 });
  closers.push(() => link.close());
  return link;
}

export interface Sale {
  eventId: string;
  ref: StockRef;
  stock: Stock;
  attempts: Attempt[];
  /** Takes units for new buyers; the attempts, all held. */
  hold(count: number): Promise<Attempt[]>;
  progress(): ReturnType<ReturnType<typeof createJournal>['progress']>;
  /** Resolves when the relays have nothing left to do for it. */
  drained(): Promise<void>;
}

/** An open sale with plenty of units, in the registry. */
export async function openSale(link: RedisLink, startMs = Date.now() - 60_000): Promise<Sale> {
  await link.ready();
  const run = link.current()?.run ?? '';
  const name = randomEventName();
  const eventId = eventIdOf({ namespace: 'test', name, edition: 1 });
  const ref = { eventId, bucket: 0, generation: 1, run };
  const window = { startMs, endMs: startMs + DAY_MS };
  const stock = createStock({ link });
  const journal = createJournal({ link });
  await stock.preheat(ref, { revision: 1, totalUnits: 1_000_000, unitsPerBuyer: 1, ...window });
  await stock.arm(ref, { paused: false });
  await writeRegistry(link, {
    eventId,
    namespace: 'test',
    name,
    edition: 1,
    product: { sku: 'X', title: 'X', priceMinor: 100, currency: 'EUR' },
    buckets: 1,
    runs: [run],
    generation: 1,
    revision: 1,
    ...window,
    unitsPerBuyer: 1,
    pool: '',
  });
  const attempts: Attempt[] = [];
  const sale: Sale = {
    eventId,
    ref,
    stock,
    attempts,
    async hold(count) {
      const mine: Attempt[] = [];
      while (mine.length < count) {
        const batch = Array.from({ length: Math.min(BATCH_ATTEMPTS, count - mine.length) }, () => ({
          reservationId: randomUUID(),
          buyer: `buyer-${randomUUID()}`,
          units: 1,
        }));
        const decision = await stock.reserve(ref, batch, Date.now() + 10_000);
        if (decision.status !== 'decided' || decision.answers.some((answer) => answer.status !== 'held')) {
          throw new Error(`the bed could not hold: ${JSON.stringify(decision).slice(0, 200)}`);
        }
        mine.push(...batch);
      }
      attempts.push(...mine);
      return mine;
    },
    progress: () => journal.progress(eventId, 0),
    async drained() {
      await eventually(
        async () => {
          const progress = await journal.progress(eventId, 0);
          if (!progress.drained) throw new Error(`not drained: ${JSON.stringify(progress)}`);
        },
        { intervalMs: 50 },
      );
    },
  };
  return sale;
}

export interface Topics {
  holds: string;
  dead: string;
}

export async function newTopics(brokers: string[]): Promise<Topics> {
  const admin = createKafka({ brokers, clientId: 'test', log }).admin();
  const topics = { holds: randomKafkaName('holds'), dead: randomKafkaName('dead') };
  await admin.ensureTopic({ topic: topics.holds, partitions: 3, replicationFactor: 1 });
  await admin.ensureTopic({ topic: topics.dead, partitions: 1, replicationFactor: 1 });
  await admin.close();
  return topics;
}

export interface Arrivals {
  messages: HoldMessage[];
  /** How often each reservation arrived. */
  times(): Map<string, number>;
}

/** Collects what arrives in the topic, from its beginning. */
export async function watchTopic(brokers: string[], topic: string, closers: Closers): Promise<Arrivals> {
  const messages: HoldMessage[] = [];
  const consumer = createKafka({ brokers, clientId: 'test', log }).consumer({
    groupId: `${topic}.watch`,
    topic,
    chunkMaxMessages: 1_000,
    async onChunk(chunk) {
      for (const { value, key } of chunk) {
        const parsed = parseHold(value);
        if (!parsed.ok || parsed.message.reservationId !== key) throw new Error('a message is not a hold');
        messages.push(parsed.message);
      }
    },
  });
  closers.push(() => consumer.stop());
  await consumer.start();
  return {
    messages,
    times() {
      const times = new Map<string, number>();
      for (const { reservationId } of messages) times.set(reservationId, (times.get(reservationId) ?? 0) + 1);
      return times;
    },
  };
}

export interface RelayProcess {
  child: ChildProcess;
  url(): Promise<string>;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface RelayEnvironment {
  redisUrl: string;
  brokers: string[];
  topics: Topics;
  more?: Record<string, string>;
}

/** The real process. */
export function spawnRelay({ redisUrl, brokers, topics, more }: RelayEnvironment, closers: Closers): RelayProcess {
  const child = spawn(process.execPath, ['services/relay/main.ts'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...nodeEnv(),
      SECKILL_REDIS_URL: redisUrl,
      SECKILL_KAFKA_BROKERS: brokers.join(','),
      SECKILL_PORT: '0',
      SECKILL_HOLDS_TOPIC: topics.holds,
      SECKILL_HOLDS_DEAD_TOPIC: topics.dead,
      SECKILL_RELAY_CLAIM_IDLE_MS: '1000',
      ...more,
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
  const url = () =>
    eventually(() => {
      const found = /"url":"([^"]+)"/.exec(output)?.[1];
      if (found === undefined) throw new Error(`the relay does not listen: ${output}`);
      return found;
    });
  return { child, url, exited };
}
