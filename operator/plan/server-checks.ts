import { CLOCK_SKEW_MAX_MS, TOPIC_PARTITIONS_LEAST } from './limits.ts';
import type { Facts } from './observed.ts';

/** Judges the servers alone, whatever is sold on them: a sentence when one is not as a sale needs it. */
export interface ServerCheck {
  name: string;
  /** A blocking check keeps a sale from being armed; an advisory one lets it open degraded. */
  blocking: boolean;
  passed: string;
  judge(facts: Facts): string | undefined;
}

const UNASKED = 'it does not answer';

/** What a check says of a server that could not be asked. */
export function unanswered(facts: Facts, server: 'redis' | 'topic' | 'ledger'): string {
  const why = facts.unanswered?.[server];
  return why === undefined ? UNASKED : `${UNASKED}: ${why}`;
}

export const SERVER_CHECKS = {
  redisPolicy: {
    name: 'RedisPolicy',
    blocking: true,
    passed: 'Redis never evicts',
    judge: (facts) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      if (redis.maxmemoryPolicy === 'noeviction') return undefined;
      return `maxmemory-policy must be noeviction, it is ${redis.maxmemoryPolicy}: Redis could evict the stock itself`;
    },
  },
  redisAof: {
    name: 'RedisAof',
    blocking: true,
    passed: 'the append-only file is on',
    judge: (facts) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      return redis.aofEnabled ? undefined : 'appendonly must be yes: a restart would forget the sale';
    },
  },
  redisReplicas: {
    name: 'RedisReplicas',
    blocking: true,
    passed: 'writes reach as many replicas as they should',
    judge: (facts) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      if (redis.role !== 'master') return `Redis must be a master, it is a ${redis.role}`;
      if (redis.connectedReplicas === 0 || redis.minReplicasToWrite >= 1) return undefined;
      return 'min-replicas-to-write must be at least 1: a cut-off master would go on selling';
    },
  },
  topic: {
    name: 'Topic',
    blocking: true,
    passed: 'the topic of holds takes messages',
    judge: (facts) => {
      const { topic } = facts;
      if (topic === undefined) return unanswered(facts, 'topic');
      if (!topic.exists) return 'the topic of holds does not exist';
      if (topic.partitions < TOPIC_PARTITIONS_LEAST) {
        return `it must have at least ${TOPIC_PARTITIONS_LEAST} partitions, it has ${topic.partitions}`;
      }
      if (topic.inSyncReplicas >= Math.max(1, topic.minInsyncReplicas)) return undefined;
      return `${topic.inSyncReplicas} replicas are in sync, min.insync.replicas is ${topic.minInsyncReplicas}`;
    },
  },
  ledgerSchema: {
    name: 'LedgerSchema',
    blocking: true,
    passed: 'the schema of the ledger is up to date',
    judge: (facts) => {
      const { ledger } = facts;
      if (ledger === undefined) return unanswered(facts, 'ledger');
      if (!ledger.strict) return 'sql_mode must be strict: a value that does not fit would be cut';
      if (ledger.pendingMigrations.length === 0) return undefined;
      return `migrations are missing: ${ledger.pendingMigrations.join(', ')}`;
    },
  },
  clockSkew: {
    name: 'ClockSkew',
    blocking: false,
    passed: 'our clock agrees with that of Redis',
    judge: ({ clockOffsetMs }) => {
      if (clockOffsetMs === undefined) return UNASKED;
      if (Math.abs(clockOffsetMs) <= CLOCK_SKEW_MAX_MS) return undefined;
      return `Redis is ${clockOffsetMs} ms ahead of the operator; the sale opens by Redis`;
    },
  },
} as const satisfies Record<string, ServerCheck>;
