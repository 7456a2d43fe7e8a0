import type { SeckillEventStatus, StatusStock } from '../../operator/api/status.ts';
import { aStatus, plainManifest, withFields } from '../operator/manifests.ts';

/**
 * The one table of manifests: it runs through the checks of the host and through the real API server, which must come to
 * the same verdict. Fields are written over a manifest that has nothing but what is required.
 */
export type Fields = Readonly<Record<string, unknown>>;

export const ACCEPTED: readonly { what: string; fields: Fields }[] = [
  { what: 'nothing but what is required', fields: {} },
  { what: 'a name of 40 characters', fields: { 'metadata.name': 'x'.repeat(40) } },
  { what: 'a title of 200 characters of two halves each', fields: { 'spec.product.title': '📱'.repeat(200) } },
  { what: 'a free unit', fields: { 'spec.product.priceMinor': 0 } },
  { what: 'a picture', fields: { 'spec.product.imageUrl': 'https://shop.example/phone-x.png?size=2' } },
  { what: 'an optional field without a value', fields: { 'spec.product.imageUrl': null } },
  { what: 'all units to one buyer', fields: { 'spec.stock.totalUnits': 7, 'spec.limits.unitsPerBuyer': 7 } },
  {
    what: 'times with other offsets, and a window of one millisecond',
    fields: {
      'spec.schedule.startTime': '2026-12-12T20:00:00+08:00',
      'spec.schedule.endTime': '2026-12-12T04:00:00.001-08:00',
    },
  },
  {
    what: 'as many replicas at all times',
    fields: { 'spec.scaling': { minReplicas: 1_000, openReplicas: 1_000, maxReplicas: 1_000 } },
  },
  {
    what: 'a pre-scale that begins before the preheat',
    fields: { 'spec.schedule.preheatSeconds': 1, 'spec.schedule.prescaleSeconds': 86_400 },
  },
  {
    what: 'the values that are implemented, written out',
    fields: {
      'spec.durability': 'fast',
      'spec.stock.buckets': 1,
      'spec.scaling.pool': '',
      'spec.admission.challenge': 'none',
    },
  },
];

/** Wrong by itself: field, wrong value (`undefined` leaves it out), the host's whole message. */
export const WRONG_FIELDS: readonly [string, unknown, string][] = [
  ['apiVersion', 'seckill.io/v1', 'apiVersion must be seckill.io/v1alpha1, got "seckill.io/v1"'],
  ['apiVersion', undefined, 'apiVersion is missing: it must be seckill.io/v1alpha1'],
  ['kind', undefined, 'kind is missing: it must be SeckillEvent'],
  ['metadata', undefined, 'metadata is missing: it must be a map of fields'],
  ['kind', 'Deployment', 'kind must be SeckillEvent, got "Deployment"'],
  [
    'metadata.name',
    'Phone_X',
    'metadata.name must be a DNS label of at most 40 characters (a-z, 0-9 and inner dashes), got "Phone_X"',
  ],
  [
    'metadata.name',
    'x'.repeat(41),
    `metadata.name must be a DNS label of at most 40 characters (a-z, 0-9 and inner dashes), got "${'x'.repeat(41)}"`,
  ],
  [
    'metadata.namespace',
    '-shop',
    'metadata.namespace must be a DNS label of at most 63 characters (a-z, 0-9 and inner dashes), got "-shop"',
  ],
  [
    'metadata.annotations',
    { a: 1 },
    'metadata.annotations.a must be a text (metadata.annotations is a map of texts), got 1',
  ],
  ['spec.product.sku', 'a b', 'spec.product.sku must be 1 to 64 letters, digits and any of ._:/-, got "a b"'],
  ['spec.product.title', '', 'spec.product.title must be a text of 1 to 200 characters, got ""'],
  ['spec.product.priceMinor', 12.5, 'spec.product.priceMinor must be an integer from 0 to 1000000000000, got 12.5'],
  [
    'spec.product.listPriceMinor',
    '5',
    'spec.product.listPriceMinor must be an integer from 0 to 1000000000000, got "5"',
  ],
  [
    'spec.product.currency',
    'cny',
    'spec.product.currency must be an ISO 4217 code of three capital letters, such as CNY, got "cny"',
  ],
  [
    'spec.product.imageUrl',
    'ftp://x',
    'spec.product.imageUrl must be a URL that begins with https:// or http://, got "ftp://x"',
  ],
  ['spec.stock.totalUnits', -5, 'spec.stock.totalUnits must be an integer from 1 to 10000000, got -5'],
  ['spec.stock.totalUnits', 10_000_001, 'spec.stock.totalUnits must be an integer from 1 to 10000000, got 10000001'],
  ['spec.stock.totalUnits', undefined, 'spec.stock.totalUnits is missing: it must be an integer from 1 to 10000000'],
  ['spec.stock.buckets', 0, 'spec.stock.buckets must be an integer from 1 to 1024, got 0'],
  [
    'spec.schedule.startTime',
    '2026-12-12',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12"',
  ],
  [
    'spec.schedule.startTime',
    '2026-02-30T12:00:00Z',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-02-30T12:00:00Z"',
  ],
  [
    'spec.schedule.endTime',
    undefined,
    'spec.schedule.endTime is missing: it must be a time with its offset, such as "2026-12-12T12:00:00Z"',
  ],
  ['spec.schedule.preheatSeconds', 0, 'spec.schedule.preheatSeconds must be an integer from 1 to 86400, got 0'],
  [
    'spec.schedule.prescaleSeconds',
    86_401,
    'spec.schedule.prescaleSeconds must be an integer from 1 to 86400, got 86401',
  ],
  ['spec.limits.unitsPerBuyer', 1_001, 'spec.limits.unitsPerBuyer must be an integer from 1 to 1000, got 1001'],
  [
    'spec.limits.tokensPerBuyerPerMinute',
    0,
    'spec.limits.tokensPerBuyerPerMinute must be an integer from 1 to 10000, got 0',
  ],
  ['spec.admission.challenge', 'captcha', 'spec.admission.challenge must be none or proof-of-work, got "captcha"'],
  ['spec.admission.difficulty', 'huge', 'spec.admission.difficulty must be low, medium or high, got "huge"'],
  ['spec.payment.holdSeconds', 0, 'spec.payment.holdSeconds must be an integer from 1 to 86400, got 0'],
  ['spec.scaling.pool', 'A', 'spec.scaling.pool must be a DNS label of at most 40 characters, or empty, got "A"'],
  ['spec.scaling.minReplicas', 0, 'spec.scaling.minReplicas must be an integer from 1 to 1000, got 0'],
  ['spec.scaling.openReplicas', 2_000, 'spec.scaling.openReplicas must be an integer from 1 to 1000, got 2000'],
  ['spec.scaling.maxReplicas', 0, 'spec.scaling.maxReplicas must be an integer from 1 to 1000, got 0'],
  ['spec.scaling.cpuUtilization', 101, 'spec.scaling.cpuUtilization must be an integer from 1 to 100, got 101'],
  ['spec.durability', 'eventual', 'spec.durability must be fast, replicated or confirmed, got "eventual"'],
  ['spec.paused', 'no', 'spec.paused must be true or false, got "no"'],
  ['spec.closed', 1, 'spec.closed must be true or false, got 1'],
  ['spec.product', [], 'spec.product must be a map of fields, got a list'],
  [
    'metadata.name',
    'phone.x',
    'metadata.name must be a DNS label of at most 40 characters (a-z, 0-9 and inner dashes), got "phone.x"',
  ],
  ['spec.product.sku', '', 'spec.product.sku must be 1 to 64 letters, digits and any of ._:/-, got ""'],
  [
    'spec.product.sku',
    'A'.repeat(65),
    `spec.product.sku must be 1 to 64 letters, digits and any of ._:/-, got "${'A'.repeat(59)}…`,
  ],
  [
    'spec.product.title',
    '漢'.repeat(201),
    `spec.product.title must be a text of 1 to 200 characters, got "${'漢'.repeat(59)}…`,
  ],
  ['spec.product.priceMinor', -1, 'spec.product.priceMinor must be an integer from 0 to 1000000000000, got -1'],
  [
    'spec.product.priceMinor',
    1_000_000_000_001,
    'spec.product.priceMinor must be an integer from 0 to 1000000000000, got 1000000000001',
  ],
  ['spec.product.listPriceMinor', -1, 'spec.product.listPriceMinor must be an integer from 0 to 1000000000000, got -1'],
  [
    'spec.product.listPriceMinor',
    1_000_000_000_001,
    'spec.product.listPriceMinor must be an integer from 0 to 1000000000000, got 1000000000001',
  ],
  [
    'spec.product.imageUrl',
    'https://x/漢',
    'spec.product.imageUrl must be a URL that begins with https:// or http://, got "https://x/漢"',
  ],
  [
    'spec.product.imageUrl',
    `https://${'x'.repeat(2_041)}`,
    `spec.product.imageUrl must be a URL that begins with https:// or http://, got "https://${'x'.repeat(51)}…`,
  ],
  ['spec.stock.buckets', 1_025, 'spec.stock.buckets must be an integer from 1 to 1024, got 1025'],
  ['spec.limits.unitsPerBuyer', 0, 'spec.limits.unitsPerBuyer must be an integer from 1 to 1000, got 0'],
  [
    'spec.limits.tokensPerBuyerPerMinute',
    10_001,
    'spec.limits.tokensPerBuyerPerMinute must be an integer from 1 to 10000, got 10001',
  ],
  ['spec.payment.holdSeconds', 86_401, 'spec.payment.holdSeconds must be an integer from 1 to 86400, got 86401'],
  [
    'spec.schedule.preheatSeconds',
    86_401,
    'spec.schedule.preheatSeconds must be an integer from 1 to 86400, got 86401',
  ],
  ['spec.schedule.prescaleSeconds', 0, 'spec.schedule.prescaleSeconds must be an integer from 1 to 86400, got 0'],
  ['spec.scaling.minReplicas', 1_001, 'spec.scaling.minReplicas must be an integer from 1 to 1000, got 1001'],
  ['spec.scaling.openReplicas', 0, 'spec.scaling.openReplicas must be an integer from 1 to 1000, got 0'],
  ['spec.scaling.maxReplicas', 1_001, 'spec.scaling.maxReplicas must be an integer from 1 to 1000, got 1001'],
  ['spec.scaling.cpuUtilization', 0, 'spec.scaling.cpuUtilization must be an integer from 1 to 100, got 0'],
  [
    'spec.scaling.pool',
    'x'.repeat(41),
    `spec.scaling.pool must be a DNS label of at most 40 characters, or empty, got "${'x'.repeat(41)}"`,
  ],
  [
    'spec.schedule.startTime',
    '2026-12-12T12:00:00',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12T12:00:00"',
  ],
  [
    'spec.schedule.startTime',
    '2026-12-12T24:00:00Z',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12T24:00:00Z"',
  ],
  [
    'spec.schedule.startTime',
    '2026-12-12T12:00:60Z',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12T12:00:60Z"',
  ],
  [
    'spec.schedule.startTime',
    '2026-12-12T12:00:00.0001Z',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12T12:00:00.0001Z"',
  ],
  [
    'spec.schedule.startTime',
    '0000-12-12T12:00:00Z',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "0000-12-12T12:00:00Z"',
  ],
  [
    'spec.schedule.startTime',
    '2026-12-12T12:00:00+25:00',
    'spec.schedule.startTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "2026-12-12T12:00:00+25:00"',
  ],
  ['spec.product', undefined, 'spec.product is missing: it must be a map of fields'],
  ['spec.product.sku', undefined, 'spec.product.sku is missing: it must be 1 to 64 letters, digits and any of ._:/-'],
  ['spec.product.title', undefined, 'spec.product.title is missing: it must be a text of 1 to 200 characters'],
  [
    'spec.product.priceMinor',
    undefined,
    'spec.product.priceMinor is missing: it must be an integer from 0 to 1000000000000',
  ],
  [
    'spec.product.currency',
    undefined,
    'spec.product.currency is missing: it must be an ISO 4217 code of three capital letters, such as CNY',
  ],
  ['spec.schedule', undefined, 'spec.schedule is missing: it must be a map of fields'],
  ['spec.stock', undefined, 'spec.stock is missing: it must be a map of fields'],
  [
    'spec.schedule.startTime',
    undefined,
    'spec.schedule.startTime is missing: it must be a time with its offset, such as "2026-12-12T12:00:00Z"',
  ],
  ['spec', undefined, 'spec is missing: it must be a map of fields'],
  [
    'metadata.name',
    undefined,
    'metadata.name is missing: it must be a DNS label of at most 40 characters (a-z, 0-9 and inner dashes)',
  ],
  [
    'metadata.namespace',
    'x'.repeat(64),
    `metadata.namespace must be a DNS label of at most 63 characters (a-z, 0-9 and inner dashes), got "${'x'.repeat(59)}…`,
  ],
  ...['2026-12-12', '2026-12-32T12:00:00Z', '2026-12-12T12:30:00.0001Z'].map((end): [string, string, string] => [
    'spec.schedule.endTime',
    end,
    `spec.schedule.endTime must be a time with its offset, such as "2026-12-12T12:00:00Z", got "${end}"`,
  ]),
  ['spec.colour', 'red', 'spec.colour is not a field'],
  ['spec.schedule.prehetSeconds', 60, 'spec.schedule.prehetSeconds is not a field: did you mean preheatSeconds?'],
];

/** Wrong together: the rule of MANIFEST_CHECKS, fields, the whole message, which is the API server's too. */
export const BROKEN_RULES: readonly [string, Fields, string][] = [
  [
    'EndAfterStart',
    { 'spec.schedule.endTime': '2026-12-12T12:00:00Z' },
    'spec.schedule.endTime must be after startTime 2026-12-12T12:00:00Z, got 2026-12-12T12:00:00Z',
  ],
  [
    'OpenReplicasAtLeastMin',
    { 'spec.scaling.minReplicas': 5 },
    'spec.scaling.openReplicas must be at least minReplicas 5, got 2',
  ],
  [
    'MaxReplicasAtLeastOpen',
    { 'spec.scaling.openReplicas': 9, 'spec.scaling.maxReplicas': 8 },
    'spec.scaling.maxReplicas must be at least openReplicas 9, got 8',
  ],
  [
    'LimitWithinStock',
    { 'spec.limits.unitsPerBuyer': 4, 'spec.stock.totalUnits': 3 },
    'spec.limits.unitsPerBuyer must be at most stock.totalUnits 3, got 4',
  ],
  [
    'DurabilityImplemented',
    { 'spec.durability': 'confirmed' },
    'spec.durability confirmed is not implemented yet: write fast, or leave it out',
  ],
  [
    'DurabilityImplemented',
    { 'spec.durability': 'replicated' },
    'spec.durability replicated is not implemented yet: write fast, or leave it out',
  ],
  [
    'BucketsImplemented',
    { 'spec.stock.buckets': 4 },
    'spec.stock.buckets 4 is not implemented yet: write 1, or leave it out',
  ],
  [
    'PoolImplemented',
    { 'spec.scaling.pool': 'shared' },
    'spec.scaling.pool "shared" is not implemented yet: leave it out, and the sale has its own pool',
  ],
  [
    'ChallengeImplemented',
    { 'spec.admission.challenge': 'proof-of-work' },
    'spec.admission.challenge proof-of-work is not implemented yet: write none, or leave it out',
  ],
  [
    'DifficultyImplemented',
    { 'spec.admission.difficulty': 'low' },
    'spec.admission.difficulty low is not implemented yet: leave it out',
  ],
  [
    'TokenRateImplemented',
    { 'spec.limits.tokensPerBuyerPerMinute': 10 },
    'spec.limits.tokensPerBuyerPerMinute 10 is not implemented yet: leave it out',
  ],
  [
    'PaymentImplemented',
    { 'spec.payment.holdSeconds': 900 },
    'spec.payment.holdSeconds 900 is not implemented yet: leave it out',
  ],
];

/** A manifest that is applied over an event of this status: which rules of CHANGE_CHECKS say no, and in what words. */
export interface Change {
  what: string;
  status: Partial<SeckillEventStatus> | undefined;
  from?: Fields;
  to: Fields;
  breaks?: readonly string[];
  messages?: readonly string[];
}

const ANEW = 'or delete the event and apply it anew once it is settled';
const stock = (sold: number): StatusStock => ({
  ...{ total: 1_000, available: 1_000 - sold, held: 0, committed: sold, sold, drift: 0 },
});
const begun = { stockGeneration: 1, eventId: 'shop.phone-x.1', edition: 1, stock: stock(400) };
const OPEN = { ...begun, phase: 'Open' } as const;

/** A value that differs from the former one, for each frozen field. */
const FROZEN: readonly [name: string, field: string, from: unknown, to: unknown, back: string][] = [
  ['ProductSkuFrozen', 'spec.product.sku', 'PHONE-X-256', 'PHONE-X-512', 'put PHONE-X-256 back'],
  ['ProductTitleFrozen', 'spec.product.title', 'Phone X', 'Phone Y', 'put Phone X back'],
  ['ProductPriceMinorFrozen', 'spec.product.priceMinor', 399_900, 1, 'put 399900 back'],
  ['ProductListPriceMinorFrozen', 'spec.product.listPriceMinor', undefined, 599_900, 'put its former value back'],
  ['ProductCurrencyFrozen', 'spec.product.currency', 'CNY', 'USD', 'put CNY back'],
  ['ProductImageUrlFrozen', 'spec.product.imageUrl', 'https://x/1', 'https://x/2', 'put its former value back'],
  ['ProductImageUrlFrozen', 'spec.product.imageUrl', 'https://x/1', undefined, 'put its former value back'],
  ['LimitsUnitsPerBuyerFrozen', 'spec.limits.unitsPerBuyer', 2, 3, 'put 2 back'],
  [
    ...(['ScheduleStartTimeFrozen', 'spec.schedule.startTime', '2026-12-12T12:00:00Z'] as const),
    ...(['2026-12-12T12:05:00Z', 'put 2026-12-12T12:00:00Z back'] as const),
  ],
];

const PRICE = { 'spec.product.priceMinor': 1 };
const priceRefused = {
  breaks: ['ProductPriceMinorFrozen'],
  messages: [`spec.product.priceMinor is frozen from preheat on: put 399900 back, ${ANEW}`],
};
const WHOLE_OTHER = {
  ...{ 'spec.product.sku': 'OTHER', 'spec.product.priceMinor': 1, 'spec.limits.unitsPerBuyer': 3 },
  ...{ 'spec.schedule.startTime': '2026-12-13T12:00:00Z', 'spec.schedule.endTime': '2026-12-13T12:30:00Z' },
  ...{ 'spec.stock.totalUnits': 5, 'spec.closed': false },
};

export const CHANGES: readonly Change[] = [
  { what: 'everything, before an operator has seen it', status: undefined, to: WHOLE_OTHER },
  { what: 'everything, while it is scheduled', status: { phase: 'Scheduled' }, to: WHOLE_OTHER },
  { what: 'everything, after its window was missed', status: { phase: 'Failed' }, to: WHOLE_OTHER },
  {
    what: 'closed back, before there was any stock',
    ...{ status: { phase: 'Failed' }, from: { 'spec.closed': true }, to: { 'spec.closed': false } },
  },
  ...(['Preheating', 'Armed', 'Open', 'Paused', 'SoldOut', 'Recovering', 'Closing', 'Settled'] as const).map(
    (phase): Change => ({ what: `the price in phase ${phase}`, status: { phase }, to: PRICE, ...priceRefused }),
  ),
  {
    what: 'the price of a sale that failed with its stock made',
    ...{ status: { ...begun, phase: 'Failed' }, to: PRICE, ...priceRefused },
  },
  ...FROZEN.map(
    ([name, field, from, to, back]): Change => ({
      what: `${field} from ${from ?? 'nothing'} to ${to ?? 'nothing'}`,
      status: OPEN,
      from: { [field]: from },
      to: { [field]: to },
      breaks: [name],
      messages: [`${field} is frozen from preheat on: ${back}, ${ANEW}`],
    }),
  ),
  {
    what: 'the buckets, of which more than one do not exist yet',
    ...{ status: OPEN, to: { 'spec.stock.buckets': 2 }, breaks: ['BucketsImplemented', 'StockBucketsFrozen'] },
    messages: [`spec.stock.buckets is frozen from preheat on: put 1 back, ${ANEW}`],
  },
  {
    what: 'the start, written with another offset',
    ...{ status: OPEN, to: { 'spec.schedule.startTime': '2026-12-12T20:00:00+08:00' } },
  },
  { what: 'more units', status: OPEN, to: { 'spec.stock.totalUnits': 2_000 } },
  { what: 'as few units as are sold', status: OPEN, to: { 'spec.stock.totalUnits': 400 } },
  {
    what: 'fewer units than are sold',
    ...{ status: OPEN, to: { 'spec.stock.totalUnits': 399 }, breaks: ['NotBelowSold'] },
    messages: [
      'spec.stock.totalUnits must be at least 400, the units sold already, got 399: to sell no more, set closed to true',
    ],
  },
  {
    what: 'pausing a sale that has sold more than its spec says',
    ...{ status: OPEN, from: { 'spec.stock.totalUnits': 399 }, to: { 'spec.paused': true } },
  },
  { what: 'pausing', status: OPEN, to: { 'spec.paused': true } },
  {
    what: 'going on',
    status: { ...OPEN, phase: 'Paused' },
    from: { 'spec.paused': true },
    to: { 'spec.paused': false },
  },
  { what: 'closing', status: OPEN, to: { 'spec.closed': true } },
  {
    what: 'opening a closed sale again',
    ...{ status: OPEN, from: { 'spec.closed': true }, to: { 'spec.closed': false }, breaks: ['ClosedForGood'] },
    messages: [
      `spec.closed must stay true, a closed sale cannot open again: put true back, ${ANEW}, with another startTime`,
    ],
  },
  { what: 'more replicas', status: OPEN, to: { 'spec.scaling.minReplicas': 9, 'spec.scaling.openReplicas': 9 } },
  { what: 'a later end', status: OPEN, to: { 'spec.schedule.endTime': '2026-12-12T13:00:00Z' } },
  {
    what: 'an earlier end',
    ...{ status: OPEN, to: { 'spec.schedule.endTime': '2026-12-12T12:29:00Z' }, breaks: ['EndNotEarlier'] },
    messages: [
      'spec.schedule.endTime may only move to a time after 2026-12-12T12:30:00Z, got 2026-12-12T12:29:00Z: ' +
        'to end the sale earlier, set closed to true',
    ],
  },
  ...(['Closing', 'Settled'] as const).map(
    (phase): Change => ({
      what: `a later end in phase ${phase}`,
      ...{ status: { ...begun, phase }, to: { 'spec.schedule.endTime': '2026-12-12T13:00:00Z' } },
      breaks: ['EndBeforeItPassed'],
      messages: [
        `spec.schedule.endTime cannot move any more, the sale is over: put 2026-12-12T12:30:00Z back, ${ANEW}`,
      ],
    }),
  ),
  {
    what: 'three things that may not change at once',
    status: OPEN,
    to: { ...PRICE, 'spec.stock.totalUnits': 1, 'spec.schedule.endTime': '2026-12-12T12:01:00Z' },
    breaks: ['ProductPriceMinorFrozen', 'NotBelowSold', 'EndNotEarlier'],
  },
];

/** The two manifests and the status of a change. */
export function sides({ from = {}, to, status }: Change): {
  before: Record<string, unknown>;
  after: Record<string, unknown>;
  status: SeckillEventStatus | undefined;
} {
  const before = withFields(plainManifest(), from);
  return { before, after: withFields(before, to), status: status === undefined ? undefined : aStatus(status) };
}
