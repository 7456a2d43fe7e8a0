import type { KafkaMessage } from 'kafkajs';
import type { Log } from '../log.ts';
import { CHUNK_RETRY_FIRST_MS, CHUNK_RETRY_LONGEST_MS, HEARTBEAT_INTERVAL_MS } from './limits.ts';
import { backOffMs, sleepUnless } from './patience.ts';
import type { ChunkHandler, InMessage } from './port.ts';

/** What the library fetched of one partition at once. */
export interface FetchedBatch {
  topic: string;
  partition: number;
  messages: readonly KafkaMessage[];
  /** Rejects when the member has to join again. */
  heartbeat(): Promise<void>;
  isStale(): boolean;
  /** Commits everything up to this offset. */
  finish(last: bigint): Promise<void>;
}

export interface ChunkLoop {
  /** Resolves when the batch is done, or was left because of a stop. Rejects when the member has to join again. */
  take(batch: FetchedBatch): Promise<void>;
  /** Handlers at work now. */
  handling(): number;
  /** No chunk begins any more, and none comes again. Resolves when the last handler has settled. */
  stop(): Promise<void>;
}

export interface ChunkLoopOptions {
  chunkMaxMessages: number;
  onChunk: ChunkHandler;
  onProgress(): void;
  log: Log;
}

export function createChunkLoop({ chunkMaxMessages, onChunk, onProgress, log }: ChunkLoopOptions): ChunkLoop {
  const stopping = new AbortController();
  const atWork = new Set<Promise<boolean>>();

  /** The group hears that we live while the handler works; what it answers is kept for afterwards. */
  async function handle(chunk: InMessage[], batch: FetchedBatch): Promise<boolean> {
    let lost: { error: unknown } | undefined;
    const beat = (): Promise<void> =>
      batch.heartbeat().catch((error: unknown) => {
        lost ??= { error };
      });
    const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
    const isStale = (): boolean => lost !== undefined || stopping.signal.aborted || batch.isStale();
    try {
      await onChunk(chunk, { heartbeat: beat, isStale });
      return true;
    } catch (error) {
      const { topic, partition } = batch;
      log.warn({ err: error, topic, partition, messages: chunk.length }, 'a chunk was not handled and comes again');
      if (lost !== undefined) throw lost.error;
      return false;
    } finally {
      clearInterval(timer);
    }
  }

  async function untilHandled(chunk: InMessage[], batch: FetchedBatch): Promise<boolean> {
    for (let attempt = 0; !stopping.signal.aborted; attempt += 1) {
      const work = handle(chunk, batch);
      atWork.add(work);
      try {
        if (await work) return true;
      } finally {
        atWork.delete(work);
      }
      await pause(backOffMs(attempt, CHUNK_RETRY_FIRST_MS, CHUNK_RETRY_LONGEST_MS), batch);
    }
    return false;
  }

  async function pause(ms: number, batch: FetchedBatch): Promise<void> {
    const untilMs = performance.now() + ms;
    for (let leftMs = ms; leftMs > 0 && !stopping.signal.aborted; leftMs = untilMs - performance.now()) {
      await sleepUnless(stopping.signal, Math.min(leftMs, HEARTBEAT_INTERVAL_MS));
      await batch.heartbeat();
    }
  }

  return {
    async take(batch) {
      for (let at = 0; at < batch.messages.length; at += chunkMaxMessages) {
        if (stopping.signal.aborted || batch.isStale()) return;
        const chunk = batch.messages.slice(at, at + chunkMaxMessages).map((message) => toInMessage(message, batch));
        const last = chunk.at(-1);
        if (last === undefined || !(await untilHandled(chunk, batch))) return;
        await batch.finish(last.offset);
        onProgress();
        await batch.heartbeat();
      }
    },
    handling: () => atWork.size,
    async stop() {
      stopping.abort();
      await Promise.allSettled(atWork);
    },
  };
}

function toInMessage(message: KafkaMessage, { topic, partition }: FetchedBatch): InMessage {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers[name] = first.toString();
  }
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key === null ? null : message.key.toString(),
    value: message.value,
    headers,
    timestampMs: Number(message.timestamp),
  };
}
