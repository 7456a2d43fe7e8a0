import type { SeckillEvent } from '../api/seckill-event.ts';
import type { CheckReport } from '../api/status.ts';
import { MEMORY_HEADROOM_RATIO, MEMORY_PER_UNIT_BYTES, READY_PODS_LEAST } from './limits.ts';
import type { Facts, SaleSight, StockSight, WorkloadSight } from './observed.ts';
import { SERVER_CHECKS, type ServerCheck, unanswered } from './server-checks.ts';

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

/** Of one that asks the servers only. */
function ofServers(check: ServerCheck): ArmingCheck {
  return { ...check, judge: ({ facts }) => check.judge(facts) };
}

/** Two, or the manifest's own floor where that is one: who asks for one pod gets a sale with one pod. */
function readyPodsNeeded({ spec }: SeckillEvent): number {
  return Math.min(READY_PODS_LEAST, spec.scaling.minReplicas);
}

/** The list is the go/no-go of a sale. */
export const ARMING_CHECKS: readonly ArmingCheck[] = [
  ofServers(SERVER_CHECKS.redisPolicy),
  ofServers(SERVER_CHECKS.redisAof),
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
  ofServers(SERVER_CHECKS.redisReplicas),
  {
    name: 'StockCounts',
    blocking: true,
    passed: 'Redis holds what the ledger says',
    judge: ({ sale, stock, facts }) => {
      if (stock === undefined) return unanswered(facts, 'redis');
      if (!stock.lawHolds) return 'total is not available + held + committed';
      if (stock.totalUnits === sale.totalUnits) return undefined;
      return `Redis holds ${stock.totalUnits} units, the ledger says ${sale.totalUnits}`;
    },
  },
  ofServers(SERVER_CHECKS.topic),
  ofServers(SERVER_CHECKS.ledgerSchema),
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
  ofServers(SERVER_CHECKS.clockSkew),
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
