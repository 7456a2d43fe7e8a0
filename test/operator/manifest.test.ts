import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import { MANIFEST_CHECKS } from '../../operator/api/checks.ts';
import type { SchemaNode } from '../../operator/api/expected.ts';
import { parseManifests } from '../../operator/api/manifest-text.ts';
import { manifestSchema } from '../../operator/api/seckill-event.ts';
import { type PlainManifest, plainManifest, withField } from './manifests.ts';

function messagesOf(manifest: unknown): string[] {
  const checked = checkManifest(manifest);
  return checked.ok ? [] : checked.problems.map(({ message }) => message);
}

/** field, wrong value, the whole message */
const WRONG: readonly [string, unknown, string][] = [
  ['apiVersion', 'seckill.io/v1', 'apiVersion must be seckill.io/v1alpha1, got "seckill.io/v1"'],
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
];

/** name of the rule, fields, the whole message */
const BROKEN: readonly [string, Record<string, unknown>, string][] = [
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

const withFields = (fields: Record<string, unknown>): PlainManifest =>
  Object.entries(fields).reduce((manifest, [path, value]) => withField(manifest, path, value), plainManifest());

describe('a manifest', () => {
  test('with nothing but what is required gets every default', () => {
    const checked = checkManifest(plainManifest());
    expect(checked).toMatchObject({
      ok: true,
      event: {
        spec: {
          stock: { totalUnits: 1_000, buckets: 1 },
          schedule: { preheatSeconds: 600, prescaleSeconds: 300 },
          limits: { unitsPerBuyer: 1 },
          admission: { challenge: 'none' },
          payment: {},
          scaling: { pool: '', minReplicas: 2, openReplicas: 2, maxReplicas: 1_000, cpuUtilization: 60 },
          durability: 'fast',
          paused: false,
          closed: false,
        },
      },
    });
  });

  test('is not changed by the check', () => {
    const manifest = plainManifest();
    checkManifest(manifest);
    expect(manifest).toEqual(plainManifest());
  });

  test.each(WRONG)('with %s = %j is told what is expected', (path, value, message) => {
    expect(messagesOf(withField(plainManifest(), path, value))).toEqual([message]);
  });

  test.each(BROKEN)('that breaks %s with %j is told so', (_name, fields, message) => {
    expect(messagesOf(withFields(fields))).toEqual([message]);
  });

  test('has a case here for each named rule', () => {
    expect(new Set(BROKEN.map(([name]) => name))).toEqual(new Set(MANIFEST_CHECKS.map(({ name }) => name)));
  });

  test('hears of all wrong fields at once, rules included', () => {
    const manifest = withFields({
      'spec.stock.totalUnits': -5,
      'spec.product.currency': 'yuan',
      'spec.durability': 'confirmed',
      'spec.schedule.endTime': '2026-12-12T11:00:00Z',
      'metadata.name': undefined,
    });
    const fields = checkManifest(manifest);
    expect(fields.ok ? [] : fields.problems.map(({ field }) => field).sort()).toEqual([
      'metadata.name',
      'spec.durability',
      'spec.product.currency',
      'spec.schedule.endTime',
      'spec.stock.totalUnits',
    ]);
  });

  test('is not told of a rule whose own fields are wrong already', () => {
    expect(messagesOf(withField(plainManifest(), 'spec.schedule.startTime', 'tomorrow'))).toHaveLength(1);
  });

  test.each([
    ['spec.schedule.prehetSeconds', 'spec.schedule.prehetSeconds is not a field: did you mean preheatSeconds?'],
    ['spec.scaling.replicas', 'spec.scaling.replicas is not a field: did you mean minReplicas?'],
    ['spec.colour', 'spec.colour is not a field'],
    ['status', 'status is not a field'],
  ])('with the unknown field %s is told its name', (path, message) => {
    expect(messagesOf(withField(plainManifest(), path, 1))).toContain(message);
  });

  test.each([[null], [42], ['text'], [[]]])('that is %j is no manifest', (document) => {
    expect(messagesOf(document)).toHaveLength(1);
  });
});

describe('a file of manifests', () => {
  const yaml = (name: string, units: string): string => `
apiVersion: seckill.io/v1alpha1
kind: SeckillEvent
metadata: { name: ${name} }
spec:
  product: { sku: A-1, title: A, priceMinor: 1, currency: EUR }
  stock: { totalUnits: ${units} }
  schedule: { startTime: 2026-12-12T12:00:00Z, endTime: 2026-12-12T13:00:00Z }
`;

  test('may hold several documents, and a wrong one does not take the others with it', () => {
    const { events, problems } = parseManifests(`${yaml('a', '1')}---${yaml('b', 'many')}---${yaml('c', '3')}---\n`);
    expect(events.map(({ metadata }) => metadata.name)).toEqual(['a', 'c']);
    expect(problems).toEqual([
      {
        document: 2,
        field: 'spec.stock.totalUnits',
        message: 'spec.stock.totalUnits must be an integer from 1 to 10000000, got "many"',
      },
    ]);
  });

  test('may not name an event twice', () => {
    const { events, problems } = parseManifests(`${yaml('a', '1')}---${yaml('a', '2')}`);
    expect(events).toHaveLength(1);
    expect(problems[0]?.message).toBe('metadata.name default/a is used by another document of this file');
  });

  test('that is not YAML is told where', () => {
    const { events, problems } = parseManifests('spec: [1,\n  }');
    expect(events).toEqual([]);
    expect(problems[0]?.message).toMatch(/^the document is not YAML: .*line/);
  });

  test('is bounded in size', () => {
    expect(parseManifests(`# ${'x'.repeat(1_048_577)}`).problems[0]?.message).toBe(
      'the file must be at most 1048576 bytes',
    );
  });

  test('is valid when it is one of our examples', () => {
    const folder = new URL('../../examples/', import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect({ file, ...parseManifests(readFileSync(new URL(file, folder), 'utf8')) }).toMatchObject({ problems: [] });
    }
  });
});

test('every field of the schema is described', () => {
  const undescribed: string[] = [];
  const visit = (node: SchemaNode & { description?: string }, path: string): void => {
    if ((node.description ?? '') === '') undescribed.push(path);
    for (const [name, child] of Object.entries(node.properties ?? {})) visit(child, `${path}.${name}`);
  };
  visit(manifestSchema as unknown as SchemaNode, 'manifest');
  expect(undescribed).toEqual([]);
});
