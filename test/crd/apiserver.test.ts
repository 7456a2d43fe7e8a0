import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FINALIZER } from '../../operator/api/annotations.ts';
import { CHANGE_CHECKS } from '../../operator/api/change-checks.ts';
import { checkChange } from '../../operator/api/check-change.ts';
import { checkManifest } from '../../operator/api/check-manifest.ts';
import { MANIFEST_CHECKS } from '../../operator/api/checks.ts';
import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import { PHASES } from '../../operator/api/status.ts';
import { aStatus, plainManifest, withField, withFields } from '../operator/manifests.ts';
import { eventually } from '../support/eventually.ts';
import { useControlPlane } from '../support/kubernetes.ts';
import { randomEventName } from '../support/names.ts';
import { type Ask, askOften, type EventsApi, eventsApi, type Verdict } from './api.ts';
import { ACCEPTED, BROKEN_RULES, CHANGES, type Change, sides, WRONG_FIELDS } from './cases.ts';
import { type Refused, renderRefused, written } from './refused.ts';
import { type Crd, celRules, crdOfMutants, rootOf, theCrd } from './rules.ts';

const cluster = useControlPlane({ controllers: false });
const mutants = crdOfMutants();
let ask: Ask;
let close: () => Promise<void> = async () => {};
let api: EventsApi;
let mutantApi: EventsApi;

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

beforeAll(async () => {
  ({ ask, close } = askOften(cluster.plane()));
  const namespace = await cluster.namespace();
  for (const crd of [theCrd(), mutants.crd]) {
    const { status, body } = await ask('POST', CRDS, crd);
    if (status !== 201) throw new Error(body);
  }
  api = eventsApi(ask, namespace, 'seckill.io');
  mutantApi = eventsApi(ask, namespace, mutants.group);
  // A CRD is served a moment after it is established, and not by all of its versions at once.
  await eventually(
    async () => {
      expect((await api.create(plainManifest())).text).toBe('');
      for (const version of mutants.versions) {
        expect((await mutantApi.create(plainManifest(), { version })).text).toBe('');
      }
    },
    { deadlineMs: 60_000, intervalMs: 200 },
  );
}, 240_000);

afterAll(() => close());

/** What our sentences say without the field's name, which the API server writes before them. */
const sentenceOf = (message: string): string => message.replace(/^[\w.]+ /, '');

async function stored(of: EventsApi, change: Pick<Change, 'from' | 'to' | 'status' | 'what'>, version = 'v1alpha1') {
  const name = randomEventName('change');
  const { before, after, status } = sides(change);
  const named = (manifest: object) => withField(manifest as never, 'metadata.name', name);
  expect((await of.create(named(before), { dryRun: false, version })).text).toBe('');
  if (status !== undefined) expect((await of.putStatus(name, status, { version })).text).toBe('');
  return { name, after: named(after) };
}

const fieldsOf = ({ causes }: Verdict): string[] => causes.map(({ field }) => field).sort();

describe('the API server', () => {
  test('has every rule and description, as they were sent', async () => {
    const { body } = await ask('GET', `${CRDS}/${theCrd().metadata.name}`);
    const kept = JSON.parse(body) as Crd;
    expect(rootOf(kept)).toEqual(rootOf(theCrd()));
    expect(celRules(kept).length).toBeGreaterThan(MANIFEST_CHECKS.length + CHANGE_CHECKS.length);
  });

  test('takes our examples', async () => {
    const folder = new URL('../../examples/', import.meta.url);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
      const verdict = await api.create(parse(readFileSync(new URL(file, folder), 'utf8')) as object);
      expect({ file, text: verdict.text }).toEqual({ file, text: '' });
    }
  });

  test.each(ACCEPTED)('takes $what, with the same defaults', async ({ fields }) => {
    const manifest = withFields(plainManifest(), fields);
    const verdict = await api.create(manifest);
    expect(verdict.text).toBe('');
    const checked = checkManifest(manifest);
    expect(verdict.object['spec']).toEqual(checked.ok ? checked.event.spec : undefined);
  });

  test.each(WRONG_FIELDS)('refuses %s = %j', async (field, value) => {
    const verdict = await api.create(withField(plainManifest(), field, value));
    expect(verdict.accepted).toBe(false);
    // Of these two it speaks in words of its own.
    if (!['apiVersion', 'kind'].includes(field)) expect(verdict.text).toContain(field.split('.').at(-1));
  });

  test.each(BROKEN_RULES)(
    'refuses what breaks %s with %j, in the words of the host',
    async (_rule, fields, message) => {
      const { accepted, causes } = await api.create(withFields(plainManifest(), fields));
      expect(accepted).toBe(false);
      expect(causes).toHaveLength(1);
      expect(causes[0]?.field).toBe(message.split(' ')[0]);
      expect(causes[0]?.message.endsWith(`: ${sentenceOf(message)}`), causes[0]?.message).toBe(true);
    },
  );

  test.each(CHANGES)('judges a change: $what', async (change) => {
    const { after } = await stored(api, change);
    const verdict = await api.replace(after);
    const fields = (change.breaks ?? []).map((name) => `spec.${fieldOfRule(name)}`);
    expect(fieldsOf(verdict)).toEqual(fields.sort());
    expect(verdict.accepted).toBe(fields.length === 0);
    for (const message of change.messages ?? []) {
      expect(verdict.causes.some((cause) => cause.message.endsWith(sentenceOf(message)))).toBe(true);
    }
  });
});

test('docs/refused-manifests.md shows what it said', async () => {
  // Its own words, about bounds and types, differ from one minor version to the next.
  const { gitVersion } = JSON.parse((await ask('GET', '/version')).body) as { gitVersion: string };
  if (!gitVersion.startsWith('v1.34.')) return;
  const refused = async (what: string, manifest: object, verdict?: Verdict): Promise<Refused> => {
    const { causes, text } = verdict ?? (await api.create(manifest));
    const checked = checkManifest(manifest);
    const host = checked.ok ? [] : checked.problems.map(({ message }) => message);
    return { written: what, kubernetes: causes, text, host };
  };
  const own = WRONG_FIELDS.filter(([field]) => field.startsWith('spec') || field === 'metadata.name');
  const changed = CHANGES.filter(({ breaks }) => breaks !== undefined).map(async (change) => {
    const { before, after, status } = sides(change);
    const next = await stored(api, change);
    const told = await refused(
      `in ${status?.phase}: ${written(change.to)}${change.from === undefined ? '' : `, before: ${written(change.from)}`}`,
      after,
      await api.replace(next.after),
    );
    const [of, to] = [checkManifest(before), checkManifest(after)];
    if (!of.ok || !to.ok) return told;
    const event = { spec: of.event.spec, status } as SeckillEvent;
    return { ...told, host: checkChange(event, to.event).map(({ message }) => message) };
  });
  const text = renderRefused({
    manifests: await Promise.all(
      own.map(([field, value]) => refused(written({ [field]: value }), withField(plainManifest(), field, value))),
    ),
    together: await Promise.all(
      BROKEN_RULES.map(([, fields]) => refused(written(fields), withFields(plainManifest(), fields))),
    ),
    changes: await Promise.all(changed),
  });
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/refused-manifests.md'));
});

function fieldOfRule(name: string): string | undefined {
  return [...MANIFEST_CHECKS, ...CHANGE_CHECKS].find((check) => check.name === name)?.field;
}

test('the commands of docs/event.md change a sale that is open', async () => {
  const text = readFileSync(new URL('../../docs/event.md', import.meta.url), 'utf8');
  const patches = [...text.matchAll(/`kubectl patch ske [\w-]+ --type merge -p '([^']+)'`/g)].map(
    ([, patch = '']) => patch,
  );
  expect(patches.length).toBeGreaterThan(4);
  const { name } = await stored(api, {
    ...{ what: '', from: {}, to: {}, status: { phase: 'Open', stockGeneration: 1, stock: { ...ZERO, sold: 400 } } },
  });
  for (const patch of patches) {
    const verdict = await api.patch(name, JSON.parse(patch) as object);
    expect({ patch, text: verdict.text }).toEqual({ patch, text: '' });
    expect(verdict.object).toMatchObject(JSON.parse(patch) as object);
  }
});

test('kubectl get ske shows where a sale stands', async () => {
  const { body: found } = await ask('GET', '/apis/seckill.io/v1alpha1');
  const { resources } = JSON.parse(found) as { resources: { name: string }[] };
  expect(resources.find(({ name }) => name === 'seckillevents')).toMatchObject({
    ...{ namespaced: true, shortNames: ['ske'], categories: ['all'] },
  });
  const { name } = await stored(api, {
    ...{ what: '', to: {}, status: { phase: 'Open', reason: 'WindowOpen', stock: { ...ZERO, total: 1_000, sold: 7 } } },
  });
  const { namespace } = (await api.get(name))['metadata'] as { namespace: string };
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await ask(
    'GET',
    `/apis/seckill.io/v1alpha1/namespaces/${namespace}/seckillevents/${name}`,
    undefined,
    accept,
  );
  const table = JSON.parse(body) as {
    columnDefinitions: { name: string; priority: number }[];
    rows: { cells: unknown[] }[];
  };
  const shown = table.columnDefinitions.map((column, index) => ({ ...column, cell: table.rows[0]?.cells[index] }));
  expect(shown.filter(({ priority }) => priority === 0).map((column) => [column.name, column.cell])).toEqual([
    ['Name', name],
    ['Phase', 'Open'],
    ['Opens', '2026-12-12T12:00:00Z'],
    ['Stock', 1_000],
    ['Sold', 7],
    ['Drift', 0],
    ['Pods', 0],
    ['Age', expect.any(String)],
  ]);
});

describe('the status and the finalizer', () => {
  test('go through in every phase, whatever the phase before', async () => {
    const { name } = await stored(api, { what: '', status: undefined, to: {} });
    for (const phase of [...PHASES, ...[...PHASES].reverse()]) {
      const full = aStatus({ phase, stockGeneration: 1, stock: { ...ZERO, sold: 2_000 } });
      expect((await api.putStatus(name, full)).text).toBe('');
      for (const finalizers of [[FINALIZER], []]) {
        const object = (await api.get(name)) as { metadata: object };
        const next = { ...object, metadata: { ...object.metadata, finalizers } };
        expect((await api.replace(next, { dryRun: false })).text).toBe('');
      }
    }
  });

  test('go through although the spec is one that would be refused today', async () => {
    const olds: [string, Record<string, unknown>][] = [
      [versionWithout('DurabilityImplemented'), { 'spec.durability': 'confirmed' }],
      [versionWithout('EndAfterStart'), { 'spec.schedule.endTime': '2026-12-12T11:00:00Z' }],
      [versionWithout('spec.product.currency'), { 'spec.product.currency': 'yuan' }],
    ];
    for (const [version, fields] of olds) {
      const name = randomEventName('old');
      const old = withFields(plainManifest(), { ...fields, 'metadata.name': name, 'metadata.finalizers': [FINALIZER] });
      expect((await mutantApi.create(old, { version, dryRun: false })).text).toBe('');
      expect((await mutantApi.create(old)).accepted).toBe(false);
      for (const phase of PHASES) {
        expect((await mutantApi.putStatus(name, aStatus({ phase, stockGeneration: 1 }))).text).toBe('');
      }
      const object = (await mutantApi.get(name)) as { metadata: object };
      const released = { ...object, metadata: { ...object.metadata, finalizers: [] } };
      expect((await mutantApi.replace(released, { dryRun: false })).text).toBe('');
    }
  });

  test('are not dropped in any part', async () => {
    const { name } = await stored(api, { what: '', status: undefined, to: {} });
    const whole = aStatus({
      ...{ phase: 'Settled', eventId: 'shop.a.1', edition: 1, stockGeneration: 3, stock: ZERO },
      accuracy: { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 },
      conditions: [
        {
          ...{ type: 'Ready', status: 'True', reason: 'Accepted', message: 'm'.repeat(32_768), observedGeneration: 1 },
          lastTransitionTime: '2026-12-12T12:00:00.000Z',
        },
      ],
      checks: [{ name: 'Floor', blocking: false, passed: true, message: '' }],
    });
    await api.putStatus(name, whole);
    expect((await api.get(name))['status']).toEqual(whole);
  });
});

const ZERO = { total: 0, available: 0, held: 0, committed: 0, sold: 0, drift: 0 };

/** Each rule of CEL by the name of its check, or by its field where it says what a text looks like. */
const RULES = celRules(theCrd()).map(({ path, rule: { rule } }, index) => {
  const check = [...MANIFEST_CHECKS, ...CHANGE_CHECKS].find(({ cel }) => rule === cel || rule.endsWith(`|| (${cel})`));
  return { name: check?.name ?? path, version: `without${index}` };
});

/** The version of the mutants in which the rule of that name is missing. */
function versionWithout(name: string): string {
  const version = RULES.find((rule) => rule.name === name)?.version;
  if (version === undefined) throw new Error(`there is no rule ${name}`);
  return version;
}

describe('each rule is alone in what it refuses', () => {
  const changes = new Set(CHANGE_CHECKS.map(({ name }) => name));
  const fields = RULES.filter(({ name }) => /^(spec|metadata)\./.test(name)).map(({ name }) => name);
  const wrong = [
    ...BROKEN_RULES.map(([name, broken]) => ({ name, manifest: withFields(plainManifest(), broken) })),
    ...WRONG_FIELDS.filter(([field]) => fields.includes(field)).map(([name, value]) => ({
      ...{ name, manifest: withField(plainManifest(), name, value) },
    })),
  ];
  const heard = ({ accepted, causes, text }: Verdict) => (accepted ? '' : JSON.stringify([causes, text]));

  test('of a manifest: without it less is said of its own cases, and no less of the others', async () => {
    const before = await Promise.all(wrong.map(async ({ manifest }) => heard(await mutantApi.create(manifest))));
    for (const { name, version } of RULES.filter((rule) => !changes.has(rule.name))) {
      const now = await Promise.all(
        wrong.map(async ({ manifest }) => heard(await mutantApi.create(manifest, { version }))),
      );
      const is = (verdict: (index: number) => boolean) => wrong.filter((_one, index) => verdict(index));
      const taken = is((index) => now[index] === '');
      expect(taken.filter((one) => one.name !== name)).toEqual([]);
      // What looks wrong may break other rules too, and be too long or missing.
      const own = is((index) => now[index] !== before[index]).filter((one) => one.name === name);
      expect(own, name).not.toEqual([]);
      if (!fields.includes(name)) expect(taken).toEqual(wrong.filter((one) => one.name === name));
    }
  });

  test('of a change: without it its own cases are taken, and no other', async () => {
    const refused = CHANGES.filter(({ breaks }) => breaks !== undefined);
    const objects = await Promise.all(refused.map((change) => stored(mutantApi, change)));
    for (const name of changes) {
      const version = versionWithout(name);
      const now = await Promise.all(objects.map(({ after }) => mutantApi.replace(after, { version })));
      for (const [index, { breaks = [], what }] of refused.entries()) {
        const left = breaks.filter((rule) => rule !== name).map((rule) => `spec.${fieldOfRule(rule)}`);
        const found = now[index] === undefined ? [] : fieldsOf(now[index]);
        expect({ what, without: name, found }).toEqual({ what, without: name, found: left.sort() });
      }
    }
  });
});
