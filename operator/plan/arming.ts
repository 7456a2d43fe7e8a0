import type { SeckillEvent } from '../api/seckill-event.ts';
import type { CheckReport } from '../api/status.ts';
import {
  CLOCK_SKEW_MAX_MS,
  MEMORY_HEADROOM_RATIO,
  MEMORY_PER_UNIT_BYTES,
  READY_PODS_LEAST,
  TOPIC_PARTITIONS_LEAST,
} from './limits.ts';
import type { Facts, SaleSight, StockSight, WorkloadSight } from './observed.ts';

export interface CheckInput {
  event: SeckillEvent;
  sale: SaleSight;
  stock: StockSight | undefined;
  workload: WorkloadSight | undefined;
  facts: Facts;
}

/** Judges one thing: a sentence when it does not pass, nothing when it does. */
interface ArmingCheck {
  name: string;
  /** A blocking check keeps a sale from being armed; an advisory one lets it open degraded. */
  blocking: boolean;
  passed: string;
  judge(input: CheckInput): string | undefined;
}

const UNASKED = 'it does not answer';

function unanswered({ unanswered }: Facts, server: 'redis' | 'topic' | 'ledger'): string {
  const why = unanswered?.[server];
  return why === undefined ? UNASKED : `${UNASKED}: ${why}`;
}

/** Two, or the manifest's own floor where that is one: who asks for one pod gets a sale with one pod. */
function readyPodsNeeded({ spec }: SeckillEvent): number {
  return Math.min(READY_PODS_LEAST, spec.scaling.minReplicas);
}

/** The list is the go/no-go of a sale. */
export const ARMING_CHECKS: readonly ArmingCheck[] = [
  {
    name: 'RedisPolicy',
    blocking: true,
    passed: 'Redis never evicts',
    judge: ({ facts }) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      if (redis.maxmemoryPolicy === 'noeviction') return undefined;
      return `maxmemory-policy must be noeviction, it is ${redis.maxmemoryPolicy}: Redis could evict the stock itself`;
    },
  },
  {
    name: 'RedisAof',
    blocking: true,
    passed: 'the append-only file is on',
    judge: ({ facts }) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      return redis.aofEnabled ? undefined : 'appendonly must be yes: a restart would forget the sale';
    },
  },
  {
    name: 'RedisMemory',
    blocking: true,
    passed: 'the sale fits in the memory of Redis',
    judge: ({ sale, stock, facts }) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      if (redis.maxmemoryBytes === 0) return undefined;
      const needed = redis.usedMemoryBytes + (stock?.availableUnits ?? sale.totalUnits) * MEMORY_PER_UNIT_BYTES;
      const allowed = redis.maxmemoryBytes * (1 - MEMORY_HEADROOM_RATIO);
      if (needed <= allowed) return undefined;
      return `${mebibytes(needed)} will be needed, maxmemory allows ${mebibytes(redis.maxmemoryBytes)} less a tenth`;
    },
  },
  {
    name: 'RedisReplicas',
    blocking: true,
    passed: 'writes reach as many replicas as they should',
    judge: ({ facts }) => {
      const { redis } = facts;
      if (redis === undefined) return unanswered(facts, 'redis');
      if (redis.role !== 'master') return `Redis must be a master, it is a ${redis.role}`;
      if (redis.connectedReplicas === 0 || redis.minReplicasToWrite >= 1) return undefined;
      return 'min-replicas-to-write must be at least 1: a cut-off master would go on selling';
    },
  },
  {
    name: 'StockCounts',
    blocking: true,
    passed: 'Redis holds what the ledger says',
    judge: ({ sale, stock }) => {
      if (stock === undefined) return UNASKED;
      if (!stock.lawHolds) return 'total is not available + held + committed';
      if (stock.totalUnits === sale.totalUnits) return undefined;
      return `Redis holds ${stock.totalUnits} units, the ledger says ${sale.totalUnits}`;
    },
  },
  {
    name: 'Topic',
    blocking: true,
    passed: 'the topic of holds takes messages',
    judge: ({ facts }) => {
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
  {
    name: 'LedgerSchema',
    blocking: true,
    passed: 'the schema of the ledger is up to date',
    judge: ({ facts }) => {
      const { ledger } = facts;
      if (ledger === undefined) return unanswered(facts, 'ledger');
      if (!ledger.strict) return 'sql_mode must be strict: a value that does not fit would be cut';
      if (ledger.pendingMigrations.length === 0) return undefined;
      return `migrations are missing: ${ledger.pendingMigrations.join(', ')}`;
    },
  },
  {
    name: 'ReadyPods',
    blocking: true,
    passed: 'enough pods are ready',
    judge: ({ event, workload }) => {
      const needed = readyPodsNeeded(event);
      const ready = workload?.ready ?? 0;
      if (ready >= needed) return undefined;
      const why = workload?.problems.length ? ` (${workload.problems.join('; ')})` : '';
      return `${ready} of at least ${needed} pods are ready${why}`;
    },
  },
  {
    name: 'Floor',
    blocking: false,
    passed: 'all wanted pods are ready',
    judge: ({ workload }) => {
      if (workload === undefined || workload.ready >= workload.wanted) return undefined;
      const why = workload.problems.length > 0 ? ` (${workload.problems.join('; ')})` : '';
      return `${workload.ready} of ${workload.wanted} wanted pods are ready${why}`;
    },
  },
  {
    name: 'Autoscaler',
    blocking: false,
    passed: 'the autoscaler can follow the load',
    judge: ({ event, workload }) => {
      if (workload?.atCeiling === true) {
        return `it wants more than spec.scaling.maxReplicas, ${event.spec.scaling.maxReplicas} pods`;
      }
      return workload?.autoscalerProblem;
    },
  },
  {
    name: 'ClockSkew',
    blocking: false,
    passed: 'our clock agrees with that of Redis',
    judge: ({ facts: { clockOffsetMs } }) => {
      if (clockOffsetMs === undefined) return UNASKED;
      if (Math.abs(clockOffsetMs) <= CLOCK_SKEW_MAX_MS) return undefined;
      return `Redis is ${clockOffsetMs} ms ahead of the operator; the sale opens by Redis`;
    },
  },
];

export function runChecks(input: CheckInput): CheckReport[] {
  return ARMING_CHECKS.map(({ name, blocking, passed, judge }) => {
    const problem = judge(input);
    return { name, blocking, passed: problem === undefined, message: problem ?? passed };
  });
}

export function mayArm(checks: readonly CheckReport[]): boolean {
  return checks.length > 0 && checks.every(({ blocking, passed }) => passed || !blocking);
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}
