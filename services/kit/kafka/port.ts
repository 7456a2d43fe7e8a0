import type { Log } from '../log.ts';

/*
 * What the product needs of Kafka. The types name no library: whoever sends or consumes knows this file only.
 */

export interface KafkaOptions {
  /** `host:port` of at least one broker. */
  brokers: readonly string[];
  clientId: string;
  log: Log;
  /** Encrypts, and checks the broker's certificate: against `ca` (PEM), or what the machine trusts. */
  tls?: { ca?: string };
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string };
}

export interface KafkaPort {
  producer(): Producer;
  consumer(options: ConsumerOptions): Consumer;
  admin(): Admin;
}

export interface OutMessage {
  topic: string;
  key: string;
  value: string;
  headers?: Record<string, string>;
}

export interface Producer {
  /** Resolves when a broker answered. Tries until then, or until `close()`, which makes it reject. */
  connect(): Promise<void>;
  /**
   * Resolves when every message is acknowledged by all in-sync replicas. One send is in flight at a time, others wait
   * their turn. Rejects within SEND_DEADLINE_MS of its turn: then any of the messages may or may not have arrived,
   * and the caller sends all of them again, or none if the consumers can do without.
   */
  send(messages: readonly OutMessage[]): Promise<void>;
  close(): Promise<void>;
}

export interface InMessage {
  topic: string;
  partition: number;
  offset: bigint;
  key: string | null;
  value: Buffer | null;
  headers: Record<string, string>;
  timestampMs: number;
}

export interface ChunkControl {
  /** Tells the group that this member lives. It is told in the background too: only a handler that blocks needs it. */
  heartbeat(): Promise<void>;
  /** Whether the partition is being taken away. The chunk will come again, here or elsewhere: stop when convenient. */
  isStale(): boolean;
}

/**
 * Gets a part of one partition, in its order. When its promise resolves, the offsets of the whole chunk are committed.
 * When it rejects, the same chunk comes again after a while: a message is never skipped.
 */
export type ChunkHandler = (chunk: readonly InMessage[], control: ChunkControl) => Promise<void>;

export interface ConsumerOptions {
  groupId: string;
  topic: string;
  /** At most this many messages a chunk. */
  chunkMaxMessages: number;
  onChunk: ChunkHandler;
  /** Partitions that are handled at the same time; 1 when absent. */
  partitionsAtOnce?: number;
  /** Told of every restart by the watchdog. */
  onRestart?: (reason: string) => void;
}

export interface ConsumerStatus {
  /** Partitions that this member has now. */
  partitions: readonly number[];
  /** How often the watchdog had to begin anew. */
  restarts: number;
}

export interface Consumer {
  /** Resolves once the consumer is at work on joining; brokers that are away are tried until they are there. */
  start(): Promise<void>;
  /** The chunk in hand is finished (or given up after STOP_PATIENCE_MS), the group is left. */
  stop(): Promise<void>;
  status(): ConsumerStatus;
}

export interface TopicDescription {
  partitions: number;
  /** The fewest that any partition has. */
  replicas: number;
  inSyncReplicas: number;
  minInsyncReplicas: number;
  /** Partitions with fewer replicas in sync than they have. */
  underReplicated: number;
}

export interface TopicWish {
  topic: string;
  partitions: number;
  replicationFactor: number;
  minInsyncReplicas?: number;
}

/** Every call rejects soon (ADMIN_* bounds) when the brokers are away: the caller is a loop that comes again. */
export interface Admin {
  clusterId(): Promise<string>;
  /** Creates the topic when it is missing, and waits for its leaders. One that exists stays as it is. */
  ensureTopic(wish: TopicWish): Promise<void>;
  /** `undefined`: there is no such topic. */
  describeTopic(topic: string): Promise<TopicDescription | undefined>;
  /** By partition: the offset that the next message will get. */
  endOffsets(topic: string): Promise<Map<number, bigint>>;
  /**
   * By partition: the offset before which the group has nothing left to take. It committed it, or Kafka has forgotten all
   * that stood before it, perhaps with what was committed there.
   */
  takenOffsets(groupId: string, topic: string): Promise<Map<number, bigint>>;
  close(): Promise<void>;
}
