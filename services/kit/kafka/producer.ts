import assert from 'node:assert/strict';
import type { Kafka, Producer as LibraryProducer, RecordMetadata, TopicMessages } from 'kafkajs';
import { CompressionTypes } from 'kafkajs';
import type { Log } from '../log.ts';
import { retryOptions } from './client.ts';
import {
  CLOSE_PATIENCE_MS,
  REQUEST_TIMEOUT_MS,
  RESTART_FIRST_MS,
  RESTART_LONGEST_MS,
  SEND_DEADLINE_MS,
  SEND_MAX_MESSAGES,
  SEND_RETRIES_MAX,
  SENDS_WAITING_MAX,
} from './limits.ts';
import { partitionOf } from './partition.ts';
import { backOffMs, settledWithin, sleepUnless } from './patience.ts';
import type { OutMessage, Producer } from './port.ts';

/** One connected producer of the library, and the partitions that its present send touches. */
interface Line {
  producer: LibraryProducer;
  touched: Map<string, Set<number>>;
}

/**
 * The library's idempotent producer re-uses sequence numbers after an error and can lose a batch; so it stays off, and
 * repeats are the consumers' business. A line that failed once is never used again: its retries may still be at work.
 */
export function createProducer(client: () => Kafka, log: Log): Producer {
  const closing = new AbortController();
  let line: Line | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function open(untilMs: number): Promise<Line> {
    if (line !== undefined) return line;
    const made = createLine(client());
    try {
      await withDeadline(made.producer.connect(), untilMs, 'connect to Kafka');
    } catch (error) {
      drop(made);
      throw error;
    }
    if (closing.signal.aborted) {
      drop(made);
      throw new Error('The Kafka producer is closed.');
    }
    line = made;
    return made;
  }

  function drop(old: Line): void {
    if (line === old) line = undefined;
    old.producer.disconnect().catch((error: unknown) => log.debug({ err: error }, 'kafka producer left badly'));
  }

  async function sendPart(messages: readonly OutMessage[], untilMs: number): Promise<void> {
    const used = await open(untilMs);
    used.touched.clear();
    const sent = used.producer.sendBatch({
      topicMessages: byTopic(messages),
      acks: -1,
      timeout: REQUEST_TIMEOUT_MS,
      compression: CompressionTypes.None,
    });
    try {
      assertAcknowledged(await withDeadline(sent, untilMs, 'send to Kafka'), used.touched);
    } catch (error) {
      drop(used);
      // The library may go on trying, and would leave an open connection behind when it succeeds.
      sent.catch(() => {}).finally(() => drop(used));
      throw error;
    }
  }

  return {
    async connect() {
      for (let attempt = 0; ; attempt += 1) {
        if (closing.signal.aborted) throw new Error('The Kafka producer is closed.');
        try {
          await open(performance.now() + SEND_DEADLINE_MS);
          return;
        } catch (error) {
          log.debug({ err: error }, 'kafka is not there yet');
          await sleepUnless(closing.signal, backOffMs(attempt, RESTART_FIRST_MS, RESTART_LONGEST_MS));
        }
      }
    },
    async send(messages) {
      assert(waiting < SENDS_WAITING_MAX, 'senders must wait for their turn in bounded number');
      if (closing.signal.aborted) throw new Error('The Kafka producer is closed.');
      const before = turn;
      waiting += 1;
      const mine = (async () => {
        await before;
        const untilMs = performance.now() + SEND_DEADLINE_MS;
        for (let at = 0; at < messages.length; at += SEND_MAX_MESSAGES) {
          await sendPart(messages.slice(at, at + SEND_MAX_MESSAGES), untilMs);
        }
      })().finally(() => {
        waiting -= 1;
      });
      turn = mine.catch(() => {});
      return mine;
    },
    async close() {
      await settledWithin(turn, CLOSE_PATIENCE_MS);
      closing.abort();
      if (line === undefined) return;
      const old = line.producer;
      line = undefined;
      await settledWithin(old.disconnect(), CLOSE_PATIENCE_MS);
    },
  };
}

function createLine(client: Kafka): Line {
  const touched = new Map<string, Set<number>>();
  const producer = client.producer({
    allowAutoTopicCreation: false,
    idempotent: false,
    maxInFlightRequests: 1,
    retry: retryOptions(SEND_RETRIES_MAX),
    createPartitioner:
      () =>
      ({ topic, partitionMetadata, message }) => {
        const partition = partitionOf(String(message.key), partitionMetadata.length);
        const partitions = touched.get(topic);
        if (partitions === undefined) touched.set(topic, new Set([partition]));
        else partitions.add(partition);
        return partition;
      },
  });
  return { producer, touched };
}

function byTopic(messages: readonly OutMessage[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, key, value, headers } of messages) {
    const entry = topics.get(topic) ?? { topic, messages: [] };
    topics.set(topic, entry);
    entry.messages.push(headers === undefined ? { key, value } : { key, value, headers });
  }
  return [...topics.values()];
}

/**
 * When a partition moves to a broker that has already answered within the same send, the library takes that broker's
 * old answer for the whole, and what moved was never sent. So every partition must show its own acknowledgement.
 */
function assertAcknowledged(answers: RecordMetadata[], touched: Map<string, Set<number>>): void {
  for (const [topic, partitions] of touched) {
    for (const partition of partitions) {
      const answer = answers.find((one) => one.topicName === topic && one.partition === partition);
      if (answer?.errorCode !== 0) throw new Error(`Kafka did not acknowledge ${topic}/${partition}.`);
    }
  }
}

/** `untilMs`: by the monotonic clock. */
async function withDeadline<T>(promise: Promise<T>, untilMs: number, doing: string): Promise<T> {
  if (await settledWithin(promise, Math.max(0, untilMs - performance.now()))) return promise;
  promise.catch(() => {});
  throw new Error(`Could not ${doing} in time.`);
}
