import { performance } from 'node:perf_hooks';
import { Partitioners } from 'kafkajs';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { HEARTBEAT_INTERVAL_MS, SEND_MAX_MESSAGES, SESSION_TIMEOUT_MS } from '../../services/kit/kafka/limits.ts';
import { partitionOf } from '../../services/kit/kafka/partition.ts';
import type { ChunkHandler, ConsumerOptions, InMessage, KafkaPort } from '../../services/kit/kafka/port.ts';
import { eventually } from '../support/eventually.ts';
import { forgetRecords, randomKafkaName, sharedKafka } from '../support/kafka.ts';

const shared = sharedKafka();
const log = pino({ level: 'silent' });
const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

function port(): KafkaPort {
  return createKafka({ brokers: shared.brokers, clientId: 'test', log });
}

async function newTopic(partitions: number): Promise<string> {
  const topic = randomKafkaName('port');
  const admin = port().admin();
  open.push(() => admin.close());
  await admin.ensureTopic({ topic, partitions, replicationFactor: 1 });
  return topic;
}

function newAdmin() {
  const admin = port().admin();
  open.push(() => admin.close());
  return admin;
}

async function send(topic: string, keys: readonly string[], value = 'value'): Promise<void> {
  const producer = port().producer();
  open.push(() => producer.close());
  await producer.connect();
  await producer.send(keys.map((key) => ({ topic, key, value: `${value} ${key}`, headers: { from: 'test' } })));
}

async function consume(topic: string, onChunk: ChunkHandler, more: Partial<ConsumerOptions> = {}) {
  const consumer = port().consumer({ groupId: `${topic}.group`, topic, chunkMaxMessages: 100, onChunk, ...more });
  open.push(() => consumer.stop());
  await consumer.start();
  return consumer;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `key-${index}`);

describe('sending and consuming', () => {
  test('every message arrives with its key, value and headers, in the order of its partition, in bounded chunks', async () => {
    const topic = await newTopic(3);
    const keys = numbered(500);
    await send(topic, keys);
    const seen: InMessage[] = [];
    const sizes: number[] = [];
    await consume(
      topic,
      async (chunk) => {
        expect(new Set(chunk.map((message) => message.partition)).size).toBe(1);
        sizes.push(chunk.length);
        seen.push(...chunk);
      },
      { chunkMaxMessages: 40 },
    );
    await eventually(() => seen.length >= keys.length);
    expect(seen.map((message) => message.key).sort()).toEqual([...keys].sort());
    expect(Math.max(...sizes)).toBe(40);
    expect(seen.every((message) => message.value?.toString() === `value ${message.key}`)).toBe(true);
    expect(seen.every((message) => message.headers['from'] === 'test')).toBe(true);
    for (const partition of [0, 1, 2]) {
      const offsets = seen.filter((message) => message.partition === partition).map((message) => message.offset);
      expect(offsets).toEqual(offsets.map((_, index) => BigInt(index)));
    }
  });

  test('more messages than one request takes are sent whole', async () => {
    const topic = await newTopic(1);
    await send(topic, numbered(SEND_MAX_MESSAGES * 2 + 1));
    expect(await newAdmin().endOffsets(topic)).toEqual(new Map([[0, BigInt(SEND_MAX_MESSAGES * 2 + 1)]]));
  });

  test('a send to a topic that does not exist is rejected, and a later send succeeds', async () => {
    const topic = await newTopic(1);
    const producer = port().producer();
    open.push(() => producer.close());
    await producer.connect();
    const missing = randomKafkaName('missing');
    await expect(producer.send([{ topic: missing, key: 'a', value: 'b' }])).rejects.toThrow();
    await producer.send([{ topic, key: 'a', value: 'b' }]);
    expect(await newAdmin().endOffsets(topic)).toEqual(new Map([[0, 1n]]));
    expect(await newAdmin().describeTopic(missing)).toBeUndefined();
  });

  test('a key goes to the partition that the library and the Java producer choose', () => {
    const theirs = Partitioners.DefaultPartitioner();
    for (const partitions of [1, 3, 12, 50]) {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [1],
        isr: [1],
      }));
      for (const key of [
        '',
        'a',
        'ab',
        'abc',
        'abcd',
        'ünïcödé',
        ...Array.from({ length: 200 }, () => crypto.randomUUID()),
      ]) {
        const message = { key, value: null };
        expect(partitionOf(key, partitions)).toBe(theirs({ topic: 't', partitionMetadata, message }));
      }
    }
  });
});

describe('a handler and its offsets', () => {
  test('a rejected chunk comes again, whole and in order, and nothing after it comes before it', async () => {
    const topic = await newTopic(1);
    const keys = numbered(30);
    await send(topic, keys);
    const calls: string[][] = [];
    let refusals = 3;
    await consume(
      topic,
      async (chunk) => {
        calls.push(chunk.map((message) => message.key ?? ''));
        if (chunk[0]?.key === 'key-10' && refusals > 0) {
          refusals -= 1;
          throw new Error('not yet');
        }
      },
      { chunkMaxMessages: 10 },
    );
    await eventually(() => calls.length >= 6);
    const parts = [keys.slice(0, 10), keys.slice(10, 20), keys.slice(20)];
    expect(calls).toEqual([parts[0], parts[1], parts[1], parts[1], parts[1], parts[2]]);
  });

  test('offsets are committed only after the handler resolved', async () => {
    const topic = await newTopic(1);
    const group = `${topic}.group`;
    const admin = newAdmin();
    await send(topic, numbered(20));
    const gate = Promise.withResolvers<void>();
    let chunks = 0;
    await consume(
      topic,
      async () => {
        chunks += 1;
        if (chunks === 2) await gate.promise;
      },
      { chunkMaxMessages: 10 },
    );
    await eventually(() => chunks === 2);
    await eventually(async () => expect(await admin.takenOffsets(group, topic)).toEqual(new Map([[0, 10n]])));
    gate.resolve();
    await eventually(async () => expect(await admin.takenOffsets(group, topic)).toEqual(new Map([[0, 20n]])));
  });

  test('what Kafka has forgotten is taken, whether or not the group ever took it', async () => {
    const topic = await newTopic(1);
    const group = `${topic}.group`;
    const admin = newAdmin();
    await send(topic, numbered(10));
    expect(await admin.takenOffsets(group, topic)).toEqual(new Map([[0, 0n]]));
    await forgetRecords(shared.brokers, topic, 0, 4n);
    expect(await admin.takenOffsets(group, topic)).toEqual(new Map([[0, 4n]]));
    await consume(topic, async () => undefined);
    await eventually(async () => expect(await admin.takenOffsets(group, topic)).toEqual(new Map([[0, 10n]])));
  });

  test('a handler that works longer than a session keeps its partition, and is not called twice', async () => {
    const topic = await newTopic(1);
    await send(topic, numbered(5));
    const calls: number[] = [];
    const gate = Promise.withResolvers<void>();
    let stale = false;
    await consume(topic, async (chunk, control) => {
      calls.push(chunk.length);
      await gate.promise;
      stale = control.isStale();
    });
    await eventually(() => calls.length === 1);
    const sinceMs = performance.now();
    await eventually(() => performance.now() - sinceMs > SESSION_TIMEOUT_MS + HEARTBEAT_INTERVAL_MS, {
      intervalMs: 200,
    });
    gate.resolve();
    const committed = async () => (await newAdmin().takenOffsets(`${topic}.group`, topic)).get(0);
    await eventually(async () => expect(await committed()).toBe(5n));
    expect({ calls, stale }).toEqual({ calls: [5], stale: false });
  });

  test('a stop waits for no session, keeps what was handled, and the next consumer goes on after it', async () => {
    const topic = await newTopic(4);
    await send(topic, numbered(100));
    const seen: string[] = [];
    const collect: ChunkHandler = async (chunk) => {
      for (const message of chunk) seen.push(message.key ?? '');
    };
    const first = await consume(topic, collect);
    await eventually(() => seen.length === 100);
    const beganMs = performance.now();
    await first.stop();
    expect(performance.now() - beganMs).toBeLessThan(SESSION_TIMEOUT_MS);
    await send(topic, ['late']);
    await consume(topic, collect);
    await eventually(() => seen.length > 100);
    expect(seen.slice(100)).toEqual(['late']);
  });
});

describe('two members', () => {
  test('they share the partitions, and the one that stays takes over those of the one that leaves', async () => {
    const topic = await newTopic(6);
    const seen: string[] = [];
    const collect: ChunkHandler = async (chunk) => {
      for (const message of chunk) seen.push(message.key ?? '');
    };
    const first = await consume(topic, collect);
    await eventually(() => first.status().partitions.length === 6);
    const second = await consume(topic, collect);
    await eventually(() => first.status().partitions.length === 3 && second.status().partitions.length === 3);
    await first.stop();
    await eventually(() => second.status().partitions.length === 6);
    await send(topic, numbered(60));
    await eventually(() => seen.length >= 60);
    expect(seen.sort()).toEqual(numbered(60).sort());
    expect([first.status().restarts, second.status().restarts]).toEqual([0, 0]);
  });

  test('a handler that keeps refusing does not keep the group from changing', async () => {
    const topic = await newTopic(2);
    await send(topic, numbered(20));
    let refuse = true;
    const seen = new Set<string>();
    const handler: ChunkHandler = async (chunk) => {
      if (refuse) throw new Error('not yet');
      for (const message of chunk) seen.add(message.key ?? '');
    };
    const first = await consume(topic, handler);
    await eventually(() => first.status().partitions.length === 2);
    const second = await consume(topic, handler);
    await eventually(() => first.status().partitions.length === 1 && second.status().partitions.length === 1);
    refuse = false;
    await eventually(() => seen.size === 20);
  });
});

describe('questions about the cluster', () => {
  test('a topic is described with its partitions, replicas and the least in-sync replicas it asks for', async () => {
    const topic = randomKafkaName('described');
    const admin = newAdmin();
    expect(await admin.describeTopic(topic)).toBeUndefined();
    const wish = { topic, partitions: 7, replicationFactor: 1, minInsyncReplicas: 2 };
    await admin.ensureTopic(wish);
    await admin.ensureTopic(wish);
    const described = { partitions: 7, replicas: 1, inSyncReplicas: 1, minInsyncReplicas: 2, underReplicated: 0 };
    expect(await admin.describeTopic(topic)).toEqual(described);
    expect(await admin.clusterId()).toMatch(/^[\w-]{22}$/);
  });
});
