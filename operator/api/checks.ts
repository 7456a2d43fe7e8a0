import { RFC_3339_PATTERN, type SeckillEventSpec } from './seckill-event.ts';
import { celText, type Sentence } from './sentence.ts';

/** One rule that a schema cannot say. It is written twice, for us and for the API server; a test compares verdicts. */
export interface ManifestCheck {
  name: string;
  /** Whom the sentence blames, below `spec`. */
  field: string;
  /** The fields below `spec` that it looks at: it is not asked when one of them is wrong by itself. */
  reads: readonly string[];
  holds(spec: SeckillEventSpec): boolean;
  /** The same in CEL, where `self` is the spec. */
  cel: string;
  /** Completes "FIELD …" when it does not hold. */
  sentence: Sentence;
}

/** Like the others: asked of one field alone, which has no behaviour for some of its values yet. */
function implemented(
  check: Pick<ManifestCheck, 'name' | 'field' | 'holds' | 'cel'> & { shown?: string; instead: string },
): ManifestCheck {
  const { name, field, holds, cel, shown = `{self.${field}}`, instead } = check;
  return { name, field, reads: [field], holds, cel, sentence: `${shown} is not implemented yet: ${instead}` };
}

/** The API server asks every rule, also of a text that looks like no time: of that its own rule speaks. */
const looksLikeNoTime = (field: string): string => `!self.schedule.${field}.matches(${celText(RFC_3339_PATTERN)})`;

/** The list reads as the specification. */
export const MANIFEST_CHECKS: readonly ManifestCheck[] = [
  {
    name: 'EndAfterStart',
    field: 'schedule.endTime',
    reads: ['schedule.startTime', 'schedule.endTime'],
    holds: ({ schedule }) => Date.parse(schedule.endTime) > Date.parse(schedule.startTime),
    cel: [
      looksLikeNoTime('startTime'),
      looksLikeNoTime('endTime'),
      'timestamp(self.schedule.endTime) > timestamp(self.schedule.startTime)',
    ].join(' || '),
    sentence: 'must be after startTime {self.schedule.startTime}, got {self.schedule.endTime}',
  },
  {
    name: 'OpenReplicasAtLeastMin',
    field: 'scaling.openReplicas',
    reads: ['scaling.minReplicas', 'scaling.openReplicas'],
    holds: ({ scaling }) => scaling.openReplicas >= scaling.minReplicas,
    cel: 'self.scaling.openReplicas >= self.scaling.minReplicas',
    sentence: 'must be at least minReplicas {self.scaling.minReplicas}, got {self.scaling.openReplicas}',
  },
  {
    name: 'MaxReplicasAtLeastOpen',
    field: 'scaling.maxReplicas',
    reads: ['scaling.openReplicas', 'scaling.maxReplicas'],
    holds: ({ scaling }) => scaling.maxReplicas >= scaling.openReplicas,
    cel: 'self.scaling.maxReplicas >= self.scaling.openReplicas',
    sentence: 'must be at least openReplicas {self.scaling.openReplicas}, got {self.scaling.maxReplicas}',
  },
  {
    name: 'LimitWithinStock',
    field: 'limits.unitsPerBuyer',
    reads: ['limits.unitsPerBuyer', 'stock.totalUnits'],
    holds: ({ limits, stock }) => limits.unitsPerBuyer <= stock.totalUnits,
    cel: 'self.limits.unitsPerBuyer <= self.stock.totalUnits',
    sentence: 'must be at most stock.totalUnits {self.stock.totalUnits}, got {self.limits.unitsPerBuyer}',
  },
  implemented({
    name: 'DurabilityImplemented',
    field: 'durability',
    holds: ({ durability }) => durability === 'fast',
    cel: 'self.durability == "fast"',
    instead: 'write fast, or leave it out',
  }),
  implemented({
    name: 'BucketsImplemented',
    field: 'stock.buckets',
    holds: ({ stock }) => stock.buckets === 1,
    cel: 'self.stock.buckets == 1',
    instead: 'write 1, or leave it out',
  }),
  implemented({
    name: 'PoolImplemented',
    field: 'scaling.pool',
    holds: ({ scaling }) => scaling.pool === '',
    cel: 'self.scaling.pool == ""',
    shown: '"{self.scaling.pool}"',
    instead: 'leave it out, and the sale has its own pool',
  }),
  implemented({
    name: 'ChallengeImplemented',
    field: 'admission.challenge',
    holds: ({ admission }) => admission.challenge === 'none',
    cel: 'self.admission.challenge == "none"',
    instead: 'write none, or leave it out',
  }),
  implemented({
    name: 'DifficultyImplemented',
    field: 'admission.difficulty',
    holds: ({ admission }) => admission.difficulty === undefined,
    cel: '!has(self.admission.difficulty)',
    instead: 'leave it out',
  }),
  implemented({
    name: 'TokenRateImplemented',
    field: 'limits.tokensPerBuyerPerMinute',
    holds: ({ limits }) => limits.tokensPerBuyerPerMinute === undefined,
    cel: '!has(self.limits.tokensPerBuyerPerMinute)',
    instead: 'leave it out',
  }),
  implemented({
    name: 'PaymentImplemented',
    field: 'payment.holdSeconds',
    holds: ({ payment }) => payment.holdSeconds === undefined,
    cel: '!has(self.payment.holdSeconds)',
    instead: 'leave it out',
  }),
];
