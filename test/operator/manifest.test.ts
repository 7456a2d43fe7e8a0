import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import { MANIFEST_CHECKS } from '../../operator/api/checks.ts';
import type { SchemaNode } from '../../operator/api/expected.ts';
import { parseManifests } from '../../operator/api/manifest-text.ts';
import { manifestSchema } from '../../operator/api/seckill-event.ts';
import { BROKEN_RULES, WRONG_FIELDS } from '../crd/cases.ts';
import { plainManifest, withField, withFields } from './manifests.ts';

function messagesOf(manifest: unknown): string[] {
  const checked = checkManifest(manifest);
  return checked.ok ? [] : checked.problems.map(({ message }) => message);
}

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

  test.each(WRONG_FIELDS)('with %s = %j is told what is expected', (path, value, message) => {
    expect(messagesOf(withField(plainManifest(), path, value))).toEqual([message]);
  });

  test.each(BROKEN_RULES)('that breaks %s with %j is told so', (_name, fields, message) => {
    expect(messagesOf(withFields(plainManifest(), fields))).toEqual([message]);
  });

  test('has a case here for each named rule', () => {
    expect(new Set(BROKEN_RULES.map(([name]) => name))).toEqual(new Set(MANIFEST_CHECKS.map(({ name }) => name)));
  });

  test('hears of all wrong fields at once, rules included', () => {
    const manifest = withFields(plainManifest(), {
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
