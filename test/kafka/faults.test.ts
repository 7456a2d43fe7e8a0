import { performance } from 'node:perf_hooks';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { Consumer, KafkaPort } from '../../services/kit/kafka/port.ts';
import { type OwnKafka, startKafka } from '../../tools/servers/kafka.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { eventually } from '../support/eventually.ts';
import { randomKafkaName } from '../support/kafka.ts';

// Node finds only some of the library's names when it imports them one by one; these are not among them.
const { CompressionCodecs, CompressionTypes } = kafkajs;
const log = pino({ level: 'silent' });
const open: (() => Promise<void>)[] = [];
let broker: OwnKafka;
let kafka: KafkaPort;

beforeAll(async () => {
  // Longer than the pause below: a broker that the controller gives up loses its partitions, and a send comes twice.
  broker = await startKafka(serverOptions(process.env), { config: { 'broker.session.timeout.ms': '9000' } });
  kafka = createKafka({ brokers: broker.brokers, clientId: 'test', log });
});
// Not what a test that failed left of it.
beforeEach(async () => {
  await broker.start();
  await broker.kill('SIGCONT');
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
afterAll(() => broker?.close());

async function newTopic(partitions = 3): Promise<string> {
  const topic = randomKafkaName('fault');
  const admin = newAdmin();
  await admin.ensureTopic({ topic, partitions, replicationFactor: 1 });
  return topic;
}

function newAdmin() {
  const admin = kafka.admin();
  open.push(() => admin.close());
  return admin;
}

function newProducer() {
  const producer = kafka.producer();
  open.push(() => producer.close());
  return producer;
}

async function collect(topic: string): Promise<{ seen: Map<string, number>; consumer: Consumer }> {
  const seen = new Map<string, number>();
  const consumer = kafka.consumer({
    groupId: `${topic}.group`,
    topic,
    chunkMaxMessages: 500,
    async onChunk(chunk) {
      for (const { key } of chunk) seen.set(key ?? '', (seen.get(key ?? '') ?? 0) + 1);
    },
  });
  open.push(() => consumer.stop());
  await consumer.start();
  return { seen, consumer };
}

/** Sends numbered messages, each batch again until it is acknowledged, and remembers which were. */
function produceSteadily(topic: string) {
  const producer = newProducer();
  const acknowledged = new Set<string>();
  let sends = 0;
  let rejected = 0;
  let going = true;
  const done = (async () => {
    await producer.connect();
    while (going) {
      const batch = Array.from({ length: 50 }, (_, index) => ({
        topic,
        key: `${sends}-${index}`,
        value: 'x'.repeat(200),
      }));
      sends += 1;
      for (;;) {
        try {
          await producer.send(batch);
          for (const { key } of batch) acknowledged.add(key);
          break;
        } catch {
          rejected += 1;
        }
      }
    }
  })();
  return {
    acknowledged,
    rejected: () => rejected,
    async stop() {
      going = false;
      await done;
    },
  };
}

describe('a broker that dies', () => {
  test('nothing acknowledged is lost when it is killed and restarted while producing and consuming', async () => {
    const topic = await newTopic();
    const { seen } = await collect(topic);
    const production = produceSteadily(topic);
    await eventually(() => seen.size > 500);
    await broker.kill('SIGKILL');
    await broker.start();
    const before = production.acknowledged.size;
    await eventually(() => production.acknowledged.size > before + 500);
    await production.stop();
    await eventually(() => expect([...production.acknowledged].filter((key) => !seen.has(key))).toEqual([]));
  });

  test('when it is away at the start, producer and consumer wait for it, and a stop of theirs is prompt', async () => {
    const topic = await newTopic();
    await broker.stop();
    const producer = newProducer();
    let connected = false;
    const connecting = producer.connect().then(() => {
      connected = true;
    });
    const { seen } = await collect(topic);
    const other = await collect(topic);
    const otherProducer = kafka.producer();
    const refused = otherProducer.connect().then(
      () => 'connected',
      () => 'refused',
    );
    await expect(newAdmin().clusterId()).rejects.toThrow();
    const beganMs = performance.now();
    await other.consumer.stop();
    await otherProducer.close();
    // Far less than the library would go on trying for.
    expect(performance.now() - beganMs).toBeLessThan(15_000);
    expect(await refused).toBe('refused');
    expect(connected).toBe(false);
    await broker.start();
    await connecting;
    await producer.send([{ topic, key: 'first', value: 'x' }]);
    await eventually(() => seen.has('first'));
  });

  test('a broker that pauses for five seconds is waited for, and no batch is sent twice', async () => {
    const topic = await newTopic();
    const { seen } = await collect(topic);
    const production = produceSteadily(topic);
    await eventually(() => seen.size > 100);
    await broker.kill('SIGSTOP');
    const pausedAtMs = performance.now();
    await eventually(() => performance.now() - pausedAtMs > 5_000, { intervalMs: 100 });
    await broker.kill('SIGCONT');
    const before = production.acknowledged.size;
    await eventually(() => production.acknowledged.size > before + 500);
    await production.stop();
    const ends = await newAdmin().endOffsets(topic);
    const stored = [...ends.values()].reduce((sum, end) => sum + Number(end), 0);
    expect({ stored, rejected: production.rejected() }).toEqual({ stored: production.acknowledged.size, rejected: 0 });
    await eventually(() => seen.size === stored);
  });
});

describe('a consumer that dies', () => {
  test('one that crashed for good is begun anew, and goes on once it can', async () => {
    const topic = randomKafkaName('fault');
    const library = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING }).admin();
    await library.connect();
    open.push(() => library.disconnect());
    // From its creation on: a broker answers to a change of it first and compresses accordingly a little later.
    const configEntries = [{ name: 'compression.type', value: 'zstd' }];
    await library.createTopics({ topics: [{ topic, configEntries }], waitForLeaders: false });
    await newAdmin().ensureTopic({ topic, partitions: 1, replicationFactor: 1 });
    const producer = newProducer();
    await producer.connect();
    // The library has no codec for this one: it crashes at the message, and does not begin anew by itself.
    const missing = CompressionCodecs[CompressionTypes.ZSTD];
    const canRead = () => {
      CompressionCodecs[CompressionTypes.ZSTD] = () => ({
        compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
        decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
      });
    };
    const cannotRead = async () => {
      CompressionCodecs[CompressionTypes.ZSTD] = missing;
    };
    open.push(cannotRead);
    canRead();
    const { seen, consumer } = await collect(topic);
    await producer.send([{ topic, key: 'before', value: 'x' }]);
    await eventually(() => seen.has('before'));
    await cannotRead();
    await producer.send([{ topic, key: 'unreadable', value: 'x' }]);
    await eventually(() => consumer.status().restarts >= 2);
    expect([...seen.keys()]).toEqual(['before']);
    canRead();
    await eventually(() => seen.has('unreadable'));
    await producer.send([{ topic, key: 'after', value: 'x' }]);
    await eventually(() => seen.has('after'));
    expect([...seen.keys()]).toEqual(['before', 'unreadable', 'after']);
  });
});

describe('an idle client', () => {
  test('costs next to nothing', async () => {
    const topic = await newTopic();
    const producer = newProducer();
    await producer.connect();
    await producer.send([{ topic, key: 'a', value: 'b' }]);
    // Also counts what this test itself costs; unguarded, the library's timer fires a thousand times a second.
    const { performance: clock } = globalThis;
    // In one of several stretches of time: a machine that does other things makes every step cost more.
    await eventually(async () => {
      const before = process.cpuUsage();
      const sinceMs = clock.now();
      await eventually(() => clock.now() - sinceMs > 3_000, { intervalMs: 500 });
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1_000 / (clock.now() - sinceMs)).toBeLessThan(0.03);
    });
  });
});
