import type { EachBatchPayload, Kafka, Consumer as LibraryConsumer } from 'kafkajs';
import type { Log } from '../log.ts';
import { type ChunkLoop, createChunkLoop } from './chunk.ts';
import { retryOptions } from './client.ts';
import {
  CLOSE_PATIENCE_MS,
  CONSUMER_RETRIES_MAX,
  FETCH_MAX_BYTES,
  FETCH_MAX_BYTES_PER_PARTITION,
  FETCH_MAX_WAIT_MS,
  HEARTBEAT_INTERVAL_MS,
  REBALANCE_TIMEOUT_MS,
  SESSION_TIMEOUT_MS,
  STOP_PATIENCE_MS,
} from './limits.ts';
import { settledWithin } from './patience.ts';
import type { ConsumerOptions } from './port.ts';
import type { Pulse } from './watchdog.ts';

/** One life of a consumer in its group, from joining until it leaves, stops silently or crashes. */
export interface Member {
  begin(): Promise<void>;
  pulse(): Pulse;
  partitions(): readonly number[];
  end(): Promise<void>;
}

export interface MemberOptions extends ConsumerOptions {
  client: Kafka;
  log: Log;
}

export function createMember(options: MemberOptions): Member {
  const { client, groupId, topic, log, partitionsAtOnce = 1 } = options;
  const consumer = client.consumer({
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    maxWaitTimeInMs: FETCH_MAX_WAIT_MS,
    maxBytes: FETCH_MAX_BYTES,
    maxBytesPerPartition: FETCH_MAX_BYTES_PER_PARTITION,
    // The library begins anew after some crashes and not after others. The watchdog does it after all of them.
    retry: { ...retryOptions(CONSUMER_RETRIES_MAX), restartOnFailure: async () => false },
  });
  const chunks = createChunkLoop({ ...options, onProgress: () => (progressAtMs = performance.now()) });
  let fetchedAtMs = performance.now();
  let progressAtMs = performance.now();
  let ended: string | undefined;
  let partitions: readonly number[] = [];

  consumer.on(consumer.events.FETCH, () => {
    fetchedAtMs = performance.now();
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitions = [...(payload.memberAssignment[topic] ?? [])];
    progressAtMs = performance.now();
    log.info({ groupId, partitions: partitions.length }, 'kafka group joined');
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    // It says that it stopped first; this says why.
    ended = `it crashed: ${payload.error.message}`;
  });
  consumer.on(consumer.events.STOP, () => {
    ended ??= 'it stopped';
  });

  return {
    async begin() {
      await consumer.connect();
      // Where the group has no offset, from the first message on: none is skipped.
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: partitionsAtOnce,
        eachBatch: (batch) => chunks.take(toBatch(batch)),
      });
    },
    pulse: () => ({ ended, fetchedAtMs, progressAtMs, handling: chunks.handling() }),
    partitions: () => (ended === undefined ? partitions : []),
    async end() {
      ended ??= 'it was ended';
      await leave(consumer, chunks);
    },
  };
}

/** Leaves the group once the handlers are done: what they finished is committed, so that nobody gets it again. */
async function leave(consumer: LibraryConsumer, chunks: ChunkLoop): Promise<void> {
  const handled = chunks.stop();
  const left = consumer.disconnect();
  await settledWithin(handled, STOP_PATIENCE_MS);
  await settledWithin(left, CLOSE_PATIENCE_MS);
}

function toBatch(payload: EachBatchPayload): Parameters<ChunkLoop['take']>[0] {
  const { batch, commitOffsetsIfNecessary, resolveOffset } = payload;
  const { topic, partition } = batch;
  return {
    topic,
    partition,
    messages: batch.messages,
    heartbeat: payload.heartbeat,
    isStale: () => !payload.isRunning() || payload.isStale(),
    // Resolved only after the commit: a commit that failed and was resolved would wait for the next message.
    async finish(last) {
      const next = (last + 1n).toString();
      await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset: next }] }] });
      resolveOffset(last.toString());
    },
  };
}
