import { type Static, Type } from 'typebox';
import { EVENT_NAME_MAX_CHARS, TOTAL_UNITS_MAX, UNITS_PER_BUYER_MAX } from '../../services/domain/limits.ts';
import {
  HOLD_MAX_SECONDS,
  LEAD_MAX_SECONDS,
  PRICE_MAX_MINOR,
  REPLICAS_MAX,
  STOCK_BUCKETS_MAX,
  TEXT_MAX_CHARS,
  TOKENS_PER_MINUTE_MAX,
  URL_MAX_CHARS,
} from './limits.ts';
import type { SeckillEventStatus } from './status.ts';

/**
 * `SeckillEvent`: the one source of its types, defaults, checks and, on Kubernetes, of its CRD. `expect` completes the
 * sentence "FIELD must be …" where a pattern alone would not tell a person what to write.
 */
export const API_VERSION = 'seckill.io/v1alpha1';
export const KIND = 'SeckillEvent';

const DNS_LABEL_PATTERN = '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$';
/** Narrow enough that all who read it agree on what it says: no hour 24, no second 60, no year 0. */
const CLOCK_PATTERN = '([01]\\d|2[0-3]):[0-5]\\d';
export const RFC_3339_PATTERN = `^[12]\\d{3}-\\d{2}-\\d{2}T${CLOCK_PATTERN}:[0-5]\\d(\\.\\d{1,3})?(Z|[+-]${CLOCK_PATTERN})$`;

const closed = { additionalProperties: false } as const;

const time = (description: string) =>
  Type.String({
    format: 'date-time',
    pattern: RFC_3339_PATTERN,
    expect: 'a time with its offset, such as "2026-12-12T12:00:00Z"',
    description,
  });

export const productSchema = Type.Object(
  {
    sku: Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z0-9._:/-]+$',
      expect: '1 to 64 letters, digits and any of ._:/-',
      description: "The shop's own number of what is sold.",
    }),
    title: Type.String({ minLength: 1, maxLength: TEXT_MAX_CHARS, description: 'What buyers see.' }),
    priceMinor: Type.Integer({
      minimum: 0,
      maximum: PRICE_MAX_MINOR,
      description: 'Price of one unit in minor units of the currency (cents, fen).',
    }),
    listPriceMinor: Type.Optional(
      Type.Integer({ minimum: 0, maximum: PRICE_MAX_MINOR, description: 'The usual price, for comparison.' }),
    ),
    currency: Type.String({
      pattern: '^[A-Z]{3}$',
      expect: 'an ISO 4217 code of three capital letters, such as CNY',
      description: 'Currency of both prices, by ISO 4217.',
    }),
    imageUrl: Type.Optional(
      Type.String({
        maxLength: URL_MAX_CHARS,
        pattern: '^https?://[!-~]+$',
        expect: 'a URL that begins with https:// or http://',
        description: 'A picture for the sale page.',
      }),
    ),
  },
  { ...closed, description: 'What is sold, and for how much. Frozen from preheat on.' },
);

const stockSchema = Type.Object(
  {
    totalUnits: Type.Integer({
      minimum: 1,
      maximum: TOTAL_UNITS_MAX,
      description: 'Units on sale. May grow at any time; may shrink down to what is taken already.',
    }),
    buckets: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: STOCK_BUCKETS_MAX,
      description:
        'Parts into which the stock is split for Redis Cluster. Only 1 is implemented. Frozen from preheat on.',
    }),
  },
  { ...closed, description: 'How much is sold.' },
);

const scheduleSchema = Type.Object(
  {
    startTime: time('When the sale opens. Frozen from preheat on.'),
    endTime: time('When the sale ends. It may be moved to a later time until it has passed.'),
    preheatSeconds: Type.Integer({
      default: 600,
      minimum: 1,
      maximum: LEAD_MAX_SECONDS,
      description: 'How long before the start the stock is brought to Redis and everything is checked.',
    }),
    prescaleSeconds: Type.Integer({
      default: 300,
      minimum: 1,
      maximum: LEAD_MAX_SECONDS,
      description: 'How long before the start the pods of scaling.openReplicas are started.',
    }),
  },
  { ...closed, description: 'When it is sold: the window is [startTime, endTime).' },
);

const limitsSchema = Type.Object(
  {
    unitsPerBuyer: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: UNITS_PER_BUYER_MAX,
      description: 'Units that one buyer may hold or own. Frozen from preheat on.',
    }),
    tokensPerBuyerPerMinute: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: TOKENS_PER_MINUTE_MAX,
        description: 'Admission tokens that one buyer may ask for in a minute. Not implemented yet.',
      }),
    ),
  },
  { ...closed, default: {}, description: 'What one buyer may do.' },
);

const admissionSchema = Type.Object(
  {
    challenge: Type.Enum(['none', 'proof-of-work'], {
      default: 'none',
      description: 'What a browser must solve before it may try. Only none is implemented.',
    }),
    difficulty: Type.Optional(
      Type.Enum(['low', 'medium', 'high'], { description: 'How hard the challenge is. Not implemented yet.' }),
    ),
  },
  { ...closed, default: {}, description: 'Who may try to buy.' },
);

const paymentSchema = Type.Object(
  {
    holdSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: HOLD_MAX_SECONDS,
        description: 'How long an order waits for its payment. Not implemented yet: orders wait without an end.',
      }),
    ),
  },
  { ...closed, default: {}, description: 'How orders are paid.' },
);

const scalingSchema = Type.Object(
  {
    pool: Type.String({
      default: '',
      maxLength: EVENT_NAME_MAX_CHARS,
      pattern: '^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$',
      expect: `a DNS label of at most ${EVENT_NAME_MAX_CHARS} characters, or empty`,
      description: 'Name of a shared pool of pods; empty is a pool of its own. Only the empty one is implemented.',
    }),
    minReplicas: Type.Integer({
      default: 2,
      minimum: 1,
      maximum: REPLICAS_MAX,
      description: 'Pods from preheat to pre-scale, and from closing until everything is settled.',
    }),
    openReplicas: Type.Integer({
      default: 2,
      minimum: 1,
      maximum: REPLICAS_MAX,
      description: 'The least number of pods from pre-scale to closing.',
    }),
    maxReplicas: Type.Integer({
      default: REPLICAS_MAX,
      minimum: 1,
      maximum: REPLICAS_MAX,
      description: 'The most pods that the autoscaler may start. On the host nothing scales beyond openReplicas.',
    }),
    cpuUtilization: Type.Integer({
      default: 60,
      minimum: 1,
      maximum: 100,
      description: 'Percent of the requested CPU at which the autoscaler adds pods. Without effect on the host.',
    }),
  },
  { ...closed, default: {}, description: 'How many pods serve the sale, and when.' },
);

export const specSchema = Type.Object(
  {
    product: productSchema,
    stock: stockSchema,
    schedule: scheduleSchema,
    limits: limitsSchema,
    admission: admissionSchema,
    payment: paymentSchema,
    scaling: scalingSchema,
    durability: Type.Enum(['fast', 'replicated', 'confirmed'], {
      default: 'fast',
      description:
        'What must have happened before a buyer hears of a success. Only fast (Redis and its AOF) is implemented.',
    }),
    paused: Type.Boolean({ default: false, description: 'Nothing is sold as long as this is true.' }),
    closed: Type.Boolean({ default: false, description: 'Ends the sale for good, before its end time.' }),
  },
  { ...closed, description: 'What is sold, when, to whom, and by how many pods.' },
);

const textMap = (description: string) =>
  Type.Record(Type.String(), Type.String(), { expect: 'a map of texts', description });

const metadataSchema = Type.Object(
  {
    name: Type.String({
      maxLength: EVENT_NAME_MAX_CHARS,
      pattern: DNS_LABEL_PATTERN,
      expect: `a DNS label of at most ${EVENT_NAME_MAX_CHARS} characters (a-z, 0-9 and inner dashes)`,
      description: 'Name of the event in its namespace.',
    }),
    namespace: Type.String({
      default: 'default',
      maxLength: 63,
      pattern: DNS_LABEL_PATTERN,
      expect: 'a DNS label of at most 63 characters (a-z, 0-9 and inner dashes)',
      description: 'Namespace of the event.',
    }),
    labels: Type.Optional(textMap('Labels, passed on as they are.')),
    annotations: Type.Optional(textMap('Annotations; those of seckill.io are orders to the operator.')),
  },
  { ...closed, description: 'Identity of the object.' },
);

export const manifestSchema = Type.Object(
  {
    apiVersion: Type.Enum([API_VERSION], { description: 'Version of this API.' }),
    kind: Type.Enum([KIND], { description: 'Kind of the object.' }),
    metadata: metadataSchema,
    spec: specSchema,
  },
  { ...closed, description: 'A flash sale.' },
);

export type SeckillEventSpec = Static<typeof specSchema>;
export type Manifest = Static<typeof manifestSchema>;

/** What a platform adds to the metadata that people write. */
export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  /** Counts changes of the spec. */
  generation: number;
  createdMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  finalizers: string[];
  /** Set when somebody asked to delete it; it goes when its finalizers are gone. */
  deletionMs?: number;
}

/** An object as the platform keeps it: valid, with all defaults filled in. */
export interface SeckillEvent {
  metadata: ObjectMeta;
  spec: SeckillEventSpec;
  status?: SeckillEventStatus;
}

/** An object whose spec another release let through, and this one does not accept: what is wrong with it, in sentences. */
export interface RefusedEvent {
  metadata: ObjectMeta;
  problems: string[];
  status?: SeckillEventStatus;
}

/** `namespace/name`. */
export type EventKey = string;
