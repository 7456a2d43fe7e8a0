import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { CHANGE_CHECKS } from '../../operator/api/change-checks.ts';
import { checkChange } from '../../operator/api/check-change.ts';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import { MANIFEST_CHECKS } from '../../operator/api/checks.ts';
import type { SchemaNode } from '../../operator/api/expected.ts';
import { type Manifest, manifestSchema, type SeckillEvent } from '../../operator/api/seckill-event.ts';
import { fillAndCheck } from '../../operator/api/structure.ts';
import { plainManifest, withFields } from '../operator/manifests.ts';
import { ACCEPTED, BROKEN_RULES, CHANGES, sides, WRONG_FIELDS } from './cases.ts';
import { eachNode, rootOf, theCrd } from './rules.ts';

const FILE = join(import.meta.dirname, '../../helm/seckill/crd/seckillevents.yaml');
const HEADER = '# Made from operator/api; a test compares (CONTRIBUTING.md says how to make it anew).\n';

function checked(manifest: unknown): Manifest {
  const answer = checkManifest(manifest);
  if (!answer.ok) throw new Error(answer.problems.map(({ message }) => message).join('\n'));
  return answer.event;
}

/** As the object store has it: nobody looks at anything but spec and status. */
function eventOf(manifest: unknown, status: SeckillEvent['status']): SeckillEvent {
  const { spec } = checked(manifest);
  return { spec, ...(status === undefined ? {} : { status }) } as SeckillEvent;
}

describe('the CustomResourceDefinition', () => {
  test('is in the chart as the code has it', async () => {
    // Quoted where a reader of YAML 1.1, such as Helm, would take a text for something else.
    const text = stringify(theCrd(), { lineWidth: 0, compat: 'yaml-1.1', aliasDuplicateObjects: false });
    await expect(`${HEADER}${text}`).toMatchFileSnapshot(FILE);
  });

  test('describes every field, those of the status too', () => {
    const undescribed: string[] = [];
    eachNode(rootOf(theCrd()), (node, path) => {
      if ((node.description ?? '') === '') undescribed.push(path);
    });
    // The API server takes no description there.
    expect(undescribed).toEqual(['metadata']);
  });
});

describe('the checks of the host', () => {
  test.each(ACCEPTED)('take $what', ({ fields }) => {
    checked(withFields(plainManifest(), fields));
  });

  test.each(CHANGES)('judge a change: $what', (change) => {
    const { before, after, status } = sides(change);
    const broken = checkManifest(after);
    const names = CHANGE_CHECKS.map(({ name }) => name);
    const wanted = (change.breaks ?? []).filter((name) => names.includes(name));
    expect(broken.ok).toBe(wanted.length === (change.breaks ?? []).length);
    const manifest = broken.ok ? broken.event : ({ ...after, spec: filled(after) } as unknown as Manifest);
    const problems = checkChange(eventOf(before, status), manifest);
    expect(problems).toHaveLength(wanted.length);
    expect(problems.map(({ field }) => field)).toEqual(
      wanted.map((name) => `spec.${CHANGE_CHECKS.find((check) => check.name === name)?.field}`),
    );
    if (change.messages !== undefined) expect(problems.map(({ message }) => message)).toEqual(change.messages);
  });

  test('have a case for each rule on a manifest, which is taken when that rule is removed', () => {
    for (const { name } of MANIFEST_CHECKS) {
      const cases = BROKEN_RULES.filter(([rule]) => rule === name);
      expect(cases, name).not.toEqual([]);
      for (const [, fields] of cases) {
        const spec = filled(withFields(plainManifest(), fields));
        expect(MANIFEST_CHECKS.filter(({ holds }) => !holds(spec)).map((check) => check.name)).toEqual([name]);
      }
    }
  });

  test('have a case for each rule on a change, which is taken when that rule is removed', () => {
    for (const { name } of CHANGE_CHECKS) {
      const alone = CHANGES.filter(({ breaks }) => breaks?.filter((rule) => isChange(rule)).join() === name);
      expect(alone, name).not.toEqual([]);
      for (const change of alone) {
        const { before, after, status } = sides(change);
        const event = eventOf(before, status);
        const others = CHANGE_CHECKS.filter((check) => check.name !== name);
        expect(others.filter(({ holds }) => !holds(event, filled(after)))).toEqual([]);
      }
    }
  });

  test('have a case for each bound of the schema, which is taken when that bound is removed', () => {
    const schema = structuredClone(manifestSchema) as unknown as SchemaNode;
    const untested: string[] = [];
    for (const { what, node, loose } of bounds(schema)) {
      const strict = { ...node };
      Object.assign(node, loose);
      const taken = WRONG_FIELDS.some(
        ([field, value]) => fillAndCheck(schema, withFields(plainManifest(), { [field]: value })).problems.length === 0,
      );
      if (!taken) untested.push(what);
      Object.assign(node, strict);
    }
    expect(untested).toEqual([]);
  });
});

const isChange = (rule: string): boolean => CHANGE_CHECKS.some(({ name }) => name === rule);

/** The spec with its defaults, of a manifest whose structure is right. */
function filled(manifest: unknown): Manifest['spec'] {
  return (fillAndCheck(manifestSchema as unknown as SchemaNode, manifest).value as Manifest).spec;
}

/** What each keyword is when it says nothing any more. */
const LOOSE = {
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
  minLength: 0,
  maxLength: Number.MAX_SAFE_INTEGER,
  pattern: '',
  format: '',
} as const;

function bounds(node: SchemaNode, path = ''): { what: string; node: SchemaNode; loose: Partial<SchemaNode> }[] {
  const keywords = Object.keys(LOOSE) as (keyof typeof LOOSE)[];
  const own = keywords
    .filter((keyword) => node[keyword] !== undefined)
    .map((keyword) => ({ what: `${path} ${keyword}`, node, loose: { [keyword]: LOOSE[keyword] } }));
  const values = node.enum === undefined ? [] : [{ what: `${path} enum`, node, loose: anyOfType(node) }];
  // What has a default is never missing.
  const missable = (node.required ?? []).filter((name) => node.properties?.[name]?.default === undefined);
  const presence = missable.map((name) => {
    const required = node.required?.filter((other) => other !== name) ?? [];
    return { what: `${path} requires ${name}`, node, loose: { required } };
  });
  const children = Object.entries(node.properties ?? {});
  return [...own, ...values, ...presence, ...children.flatMap(([name, child]) => bounds(child, `${path}.${name}`))];
}

/** Every text that a wrong case writes there, or that stands there when it is not the wrong one. */
function anyOfType(node: SchemaNode): Partial<SchemaNode> {
  const written = WRONG_FIELDS.map(([, value]) => value).filter((value) => typeof value === 'string');
  return { enum: [...(node.enum ?? []), ...written] };
}
