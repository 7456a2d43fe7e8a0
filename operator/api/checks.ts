import type { Manifest } from './seckill-event.ts';
import type { Problem } from './structure.ts';

/** One rule that a schema cannot say: a manifest of the right structure → its problem, or nothing. */
export interface ManifestCheck {
  name: string;
  /** The fields that it looks at: it is not asked when one of them is wrong by itself. */
  reads: readonly string[];
  find(manifest: Manifest): Problem | undefined;
}

const problem = (field: string, message: string): Problem => ({ field, message: `${field} ${message}` });

const notYet = (field: string, value: string, instead: string): Problem =>
  problem(field, `${value} is not implemented yet: ${instead}`);

/** The list reads as the specification. Later the same rules are the CRD's. */
export const MANIFEST_CHECKS: readonly ManifestCheck[] = [
  {
    name: 'EndAfterStart',
    reads: ['spec.schedule.startTime', 'spec.schedule.endTime'],
    find: ({ spec: { schedule } }) =>
      Date.parse(schedule.endTime) > Date.parse(schedule.startTime)
        ? undefined
        : problem('spec.schedule.endTime', `must be after startTime ${schedule.startTime}, got ${schedule.endTime}`),
  },
  {
    name: 'OpenReplicasAtLeastMin',
    reads: ['spec.scaling.minReplicas', 'spec.scaling.openReplicas'],
    find: ({ spec: { scaling } }) =>
      scaling.openReplicas >= scaling.minReplicas
        ? undefined
        : problem(
            'spec.scaling.openReplicas',
            `must be at least minReplicas ${scaling.minReplicas}, got ${scaling.openReplicas}`,
          ),
  },
  {
    name: 'MaxReplicasAtLeastOpen',
    reads: ['spec.scaling.openReplicas', 'spec.scaling.maxReplicas'],
    find: ({ spec: { scaling } }) =>
      scaling.maxReplicas >= scaling.openReplicas
        ? undefined
        : problem(
            'spec.scaling.maxReplicas',
            `must be at least openReplicas ${scaling.openReplicas}, got ${scaling.maxReplicas}`,
          ),
  },
  {
    name: 'LimitWithinStock',
    reads: ['spec.limits.unitsPerBuyer', 'spec.stock.totalUnits'],
    find: ({ spec: { limits, stock } }) =>
      limits.unitsPerBuyer <= stock.totalUnits
        ? undefined
        : problem(
            'spec.limits.unitsPerBuyer',
            `must be at most stock.totalUnits ${stock.totalUnits}, got ${limits.unitsPerBuyer}`,
          ),
  },
  {
    name: 'DurabilityImplemented',
    reads: ['spec.durability'],
    find: ({ spec }) =>
      spec.durability === 'fast'
        ? undefined
        : notYet('spec.durability', spec.durability, 'write fast, or leave it out'),
  },
  {
    name: 'BucketsImplemented',
    reads: ['spec.stock.buckets'],
    find: ({ spec: { stock } }) =>
      stock.buckets === 1 ? undefined : notYet('spec.stock.buckets', String(stock.buckets), 'write 1, or leave it out'),
  },
  {
    name: 'PoolImplemented',
    reads: ['spec.scaling.pool'],
    find: ({ spec: { scaling } }) =>
      scaling.pool === ''
        ? undefined
        : notYet('spec.scaling.pool', JSON.stringify(scaling.pool), 'leave it out, and the sale has its own pool'),
  },
  {
    name: 'ChallengeImplemented',
    reads: ['spec.admission.challenge'],
    find: ({ spec: { admission } }) =>
      admission.challenge === 'none'
        ? undefined
        : notYet('spec.admission.challenge', admission.challenge, 'write none, or leave it out'),
  },
  {
    name: 'DifficultyImplemented',
    reads: ['spec.admission.difficulty'],
    find: ({ spec: { admission } }) =>
      admission.difficulty === undefined
        ? undefined
        : notYet('spec.admission.difficulty', admission.difficulty, 'leave it out'),
  },
  {
    name: 'TokenRateImplemented',
    reads: ['spec.limits.tokensPerBuyerPerMinute'],
    find: ({ spec: { limits } }) =>
      limits.tokensPerBuyerPerMinute === undefined
        ? undefined
        : notYet('spec.limits.tokensPerBuyerPerMinute', String(limits.tokensPerBuyerPerMinute), 'leave it out'),
  },
  {
    name: 'PaymentImplemented',
    reads: ['spec.payment.holdSeconds'],
    find: ({ spec: { payment } }) =>
      payment.holdSeconds === undefined
        ? undefined
        : notYet('spec.payment.holdSeconds', String(payment.holdSeconds), 'leave it out'),
  },
];
