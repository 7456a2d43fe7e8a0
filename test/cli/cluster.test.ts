import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { preflightCommand } from '../../cli/preflight.ts';
import { statusCommand } from '../../cli/status.ts';
import { tokenCommand } from '../../cli/token.ts';
import { uninstallCheckCommand } from '../../cli/uninstall-check.ts';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import type { KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { SECKILL_EVENT } from '../../operator/platform/kubernetes/seckill-events.ts';
import { verifyToken } from '../../services/domain/admission-token.ts';
import { newTokenKeys, parseTokenKeys } from '../../services/kit/token-keys.ts';
import { clusterOfFile } from '../kubernetes/cluster.ts';
import { plainManifest, withField } from '../operator/manifests.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Outcome, runHere } from './in-process.ts';
import { createRunner, type Run } from './seckill.ts';

const folder = tempDir();
const cluster = clusterOfFile({ controllers: false });
const start = createRunner(folder);
const surroundings = (env: Record<string, string>): Record<string, string> => ({
  ...{ KUBECONFIG: cluster.kubeconfigFile(), HOME: folder },
  ...env,
});

/** In a process of its own, as a person starts it. */
const seckill = (args: readonly string[], env: Record<string, string> = {}): Run => start(args, surroundings(env));

async function outcome(run: Run): Promise<Outcome> {
  return { code: await run.ended, said: run.stdout(), complained: run.stderr() };
}

const COMMANDS = {
  status: statusCommand,
  token: tokenCommand,
  preflight: preflightCommand,
  'uninstall-check': uninstallCheckCommand,
};

async function here(
  [command, ...args]: readonly [keyof typeof COMMANDS, ...string[]],
  env: Record<string, string> = {},
): Promise<Outcome> {
  return runHere(COMMANDS[command]({ environment: () => surroundings(env), plugin: false }), args);
}

const status = (changes: Partial<SeckillEventStatus>): SeckillEventStatus => ({
  phase: 'Open',
  reason: 'SaleOpen',
  message: 'Buyers buy.',
  observedGeneration: 1,
  startTime: '2026-12-12T12:00:00Z',
  endTime: '2099-12-12T12:30:00Z',
  pods: { ready: 2, wanted: 3 },
  conditions: [],
  checks: [],
  ...changes,
});

async function setStatus(namespace: string, name: string, changes: Partial<SeckillEventStatus>): Promise<void> {
  const object = { ...SECKILL_EVENT, metadata: { namespace, name }, status: status(changes) };
  await cluster.admin().applyStatus(object);
}

/** An event of a random name, as an operator would have left it. */
async function event(namespace: string, changes: Partial<SeckillEventStatus> | undefined): Promise<string> {
  const name = randomEventName();
  const metadata = { namespace, name };
  // Tokens of it are verified by the clock of this machine: the sale must not have ended by then.
  const manifest = withField(plainManifest(), 'spec.schedule.endTime', '2099-12-12T12:30:00Z');
  await cluster.admin().apply({ ...manifest, ...SECKILL_EVENT, metadata } as KubeObject);
  if (changes !== undefined) await setStatus(namespace, name, changes);
  return name;
}

/** The Deployment by which the command line finds a release. Nobody makes pods of it here. */
async function release(): Promise<{ namespace: string; secret: string; keys: string }> {
  const [namespace, secret, keys] = [
    await cluster.namespace(),
    `keys-${randomBytes(3).toString('hex')}`,
    newTokenKeys(),
  ];
  const labels = { 'app.kubernetes.io/name': 'seckill', 'app.kubernetes.io/component': 'operator' };
  const operator = { name: 'operator', image: 'seckill', env: [{ name: 'SECKILL_TOKEN_SECRET', value: secret }] };
  await cluster.admin().apply({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name: 'seckill-operator', labels } },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [operator] } },
    },
  } as KubeObject);
  await cluster.admin().apply({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: secret } },
    stringData: { 'token-keys.json': keys },
  } as KubeObject);
  onTestFinished(async () => {
    await cluster.admin().delete({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'seckill-operator' });
  });
  return { namespace, secret, keys };
}

describe('seckill status', () => {
  it('shows the events of a cluster, those of a namespace, and one with its notices', async () => {
    const [shop, other] = [await cluster.namespace(), await cluster.namespace()];
    const stock = { total: 100, available: 20, held: 10, committed: 70, sold: 70, drift: 0 };
    const name = await event(shop, { stock, eventId: `${shop}.x.1` });
    const elsewhere = await event(other, undefined);
    await cluster.admin().apply({
      ...{ apiVersion: 'v1', kind: 'Event', metadata: { namespace: shop, name: 'opened' } },
      ...{ type: 'Normal', reason: 'Opened', message: 'The doors are open.', lastTimestamp: '2026-12-12T12:00:00Z' },
      involvedObject: { apiVersion: 'seckill.io/v1alpha1', kind: 'SeckillEvent', namespace: shop, name },
    } as KubeObject);

    const all = await here(['status']);
    const one = await here(['status', '-n', other]);
    const details = await here(['status', '-n', shop, name]);
    const json = await here(['status', `${shop}/${name}`, '--json']);
    expect(all.code).toBe(0);
    expect(all.said).toMatch(new RegExp(`^${shop}/${name} +Open +2026-12-12T12:00:00Z +100 +70 +10 +0 +2/3 `, 'm'));
    expect(all.said).toMatch(new RegExp(`^${other}/${elsewhere} +Unknown `, 'm'));

    expect(one.said).toContain(elsewhere);
    expect(one.said).not.toContain(name);

    expect(details.said).toMatch(/Opened +The doors are open\./);
    expect(JSON.parse(json.said)).toMatchObject({
      status: { phase: 'Open' },
      notices: [{ reason: 'Opened', kind: 'Normal' }],
    });
  });

  it('prints again when something changed, until it is interrupted', async () => {
    const shop = await cluster.namespace();
    const name = await event(shop, { phase: 'Armed' });
    const watching = seckill(['status', '-w', '-n', shop]);
    await eventually(() => watching.stdout().includes('Armed'));
    await setStatus(shop, name, { phase: 'SoldOut' });
    await eventually(() => watching.stdout().includes('SoldOut'));
    watching.child.kill('SIGINT');
    expect(await watching.ended).toBe(0);
  });

  it('says in words which cluster, context or event there is not', async () => {
    const state = await here(['status', '--state', join(folder, 'no-platform')]);
    const unknown = await here(['status', 'shop/nothing-like-it']);
    const context = await here(['status', '--context', 'moon']);
    const file = await here(['status', '--kubeconfig', join(folder, 'none')]);
    expect([state.code, state.said]).toEqual([0, 'There are no events.\n']);
    const sentence = 'seckill: There is no event shop/nothing-like-it in the cluster.\n';
    expect([unknown.code, unknown.complained]).toEqual([1, sentence]);
    expect([context.code, file.code]).toEqual([2, 2]);
    expect(context.complained).toContain('the kubeconfig has no context "moon", only ');
    expect(file.complained).toContain('cannot be read');
  });
});

describe('seckill token', () => {
  it('signs for a sale of a cluster with the keys of its release', async () => {
    const shop = await cluster.namespace();
    const name = await event(shop, { eventId: `${shop}.x.1` });
    const early = await event(shop, { phase: 'Scheduled' });
    expect((await here(['token', `${shop}/${name}`])).complained).toContain('No release of seckill runs');
    const { namespace, secret, keys } = await release();
    const minted = await here(['token', '-n', shop, name, '--count', '2', '--buyer', 'alice']);
    expect([minted.code, minted.complained]).toEqual([0, '']);
    const lines = minted.said
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { buyer: string; token: string });
    expect(lines.map(({ buyer }) => buyer)).toEqual(['alice', 'alice']);
    const verified = verifyToken(parseTokenKeys(keys, 'it'), lines[0]?.token ?? '', { nowMs: Date.now() });
    expect(verified).toMatchObject({ ok: true, token: { eventId: `${shop}.x.1`, buyer: 'alice' } });

    expect((await here(['token', `${shop}/${early}`])).complained).toContain('has no stock yet');
    await release();
    expect((await here(['token', `${shop}/${name}`])).complained).toContain('name one by --release-namespace');
    expect((await here(['token', `${shop}/${name}`, '--release-namespace', namespace])).code).toBe(0);
    // The operator's own pod knows its Secret, and may not look for Deployments.
    const inside = { SECKILL_NAMESPACE: namespace, SECKILL_TOKEN_SECRET: secret };
    expect((await here(['token', `${shop}/${name}`], inside)).code).toBe(0);
  });
});

describe('seckill uninstall-check', () => {
  it('refuses while an event is not settled, and names it', async () => {
    const [shop, quiet] = [await cluster.namespace(), await cluster.namespace()];
    const open = await event(shop, { phase: 'Open' });
    const fresh = await event(shop, undefined);
    await event(shop, { phase: 'Settled', eventId: `${shop}.x.1` });
    await event(quiet, { phase: 'Settled', eventId: `${quiet}.x.1` });
    const missed = await event(quiet, { phase: 'Failed' });
    // Closed before it opened: it has been known to the ledger since it was applied.
    await event(quiet, { phase: 'Failed', eventId: `${quiet}.y.1` });
    const failed = { phase: 'Failed', eventId: `${quiet}.z.1`, stockGeneration: 1 } as const;
    const times = { observedGeneration: 1, lastTransitionTime: '2026-12-12T13:00:00.000Z' };
    const condition = { type: 'Settled', reason: 'AllSettled', message: 'as it says', ...times };
    await event(quiet, { ...failed, conditions: [{ ...condition, status: 'True' }] });
    const unsettled = await event(shop, { ...failed, conditions: [{ ...condition, status: 'False' }] });
    const of = (...namespaces: string[]) => ({ SECKILL_WATCH_NAMESPACES: namespaces.join(',') });

    const refused = await here(['uninstall-check'], of(shop, quiet));
    const json = await here(['uninstall-check', '--json'], of(shop));
    const forced = await here(['uninstall-check', '--force'], of(shop));
    const settled = await here(['uninstall-check', '-n', quiet]);
    expect(refused.code).toBe(3);
    expect(refused.said).toMatch(new RegExp(`${shop}/${open} +Open `));
    expect(refused.said).toMatch(new RegExp(`${shop}/${fresh} +Unknown `));
    expect(refused.said).toMatch(new RegExp(`${shop}/${unsettled} +Failed `));
    expect(refused.said).not.toContain(missed);
    expect(refused.said.trimEnd().split('\n')).toHaveLength(6);
    expect((JSON.parse(json.said) as { unsettled: object[] }).unsettled).toHaveLength(3);
    expect([forced.code, forced.said.includes(open)]).toEqual([0, true]);
    expect(settled).toMatchObject({ code: 0, said: 'every event is settled\n' });
    // On its way out, and its operator would be gone.
    const ref = { ...SECKILL_EVENT, namespace: quiet, name: missed };
    await cluster.admin().mergePatch(ref, { metadata: { finalizers: ['seckill.io/settle'] } });
    await cluster.admin().delete(ref);
    expect(await here(['uninstall-check', '-n', quiet])).toMatchObject({ code: 3 });
    await cluster.admin().mergePatch(ref, { metadata: { finalizers: null } });
  });
});

describe('seckill audit', () => {
  it('is made in the pod of the operator, by kubectl, with its exit code', async () => {
    const { namespace } = await release();
    const programs = join(folder, 'programs');
    mkdirSync(programs, { recursive: true });
    const told = join(folder, 'told');
    writeFileSync(join(programs, 'kubectl'), `#!/bin/sh\nprintf '%s ' "$@" >${told}\nexit 3\n`);
    chmodSync(join(programs, 'kubectl'), 0o755);
    const path = { PATH: `${programs}${delimiter}${process.env['PATH']}` };
    expect((await outcome(seckill(['audit', 'shop/phone-x', '--json'], path))).code).toBe(3);
    expect(readFileSync(told, 'utf8').trim()).toBe(
      `exec -n ${namespace} deployment/seckill-operator -c operator -- node cli/main.ts audit --from-env shop/phone-x --json`,
    );
    const none = await outcome(seckill(['audit', 'shop/phone-x'], { PATH: '/nowhere' }));
    expect([none.code, none.complained]).toEqual([1, expect.stringContaining('kubectl, which is not on PATH')]);
  });
});

describe('seckill preflight', () => {
  interface Check {
    name: string;
    blocking: boolean;
    passed: boolean;
    message: string;
  }

  async function checksOf(env: Record<string, string> = {}): Promise<{ code: number; checks: Map<string, Check> }> {
    const { code, said, complained } = await here(['preflight', '--json'], env);
    if (said === '') throw new Error(complained);
    const { checks } = JSON.parse(said) as { checks: Check[] };
    return { code, checks: new Map(checks.map((check) => [check.name, check])) };
  }

  it('asks the cluster, where there is no release yet', async () => {
    const { code, checks } = await checksOf();
    expect(code).toBe(0);
    expect([...checks.keys()]).toEqual(['Servers', 'Kubernetes', 'Definition', 'MetricsApi']);
    expect(checks.get('Definition')).toMatchObject({
      passed: true,
      message: expect.stringContaining('of this version'),
    });
    expect(checks.get('MetricsApi')).toMatchObject({ passed: false, blocking: false });

    const ref = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', namespace: '' };
    const name = 'seckillevents.seckill.io';
    interface Definition extends KubeObject {
      spec: {
        versions: {
          schema: { openAPIV3Schema: { properties: { status: { properties: Record<string, unknown> } } } };
        }[];
      };
    }
    const found = await cluster.admin().get<Definition>({ ...ref, name });
    const older = structuredClone(found) as Definition;
    delete older.spec.versions[0]?.schema.openAPIV3Schema.properties.status.properties['accuracy'];
    expect(older).not.toEqual(found);
    await cluster.admin().mergePatch({ ...ref, name }, { spec: { versions: older.spec.versions } });
    onTestFinished(() => cluster.installCrd());
    const late = await checksOf();
    expect(late.code).toBe(3);
    expect(late.checks.get('Definition')).toMatchObject({
      passed: false,
      message: expect.stringContaining('upgrade the chart'),
    });
  });

  it('tells what the operator may not do, as its own pod would', async () => {
    const namespace = await cluster.namespace();
    const user = `operator-${randomBytes(3).toString('hex')}`;
    const poolFile = join(folder, 'pool.json');
    writeFileSync(poolFile, '{}');
    const env = {
      ...{ KUBECONFIG: cluster.kubeconfigAs(user), SECKILL_NAMESPACE: namespace, SECKILL_TOKEN_SECRET: 'keys' },
      ...{ SECKILL_WATCH_NAMESPACES: namespace, SECKILL_POOL_FILE: poolFile },
      ...{ SECKILL_REDIS_URL: 'redis://127.0.0.1:1', SECKILL_KAFKA_BROKERS: '127.0.0.1:1' },
      SECKILL_MYSQL_URL: 'mysql://root@127.0.0.1:1/none',
    };
    const before = await checksOf(env);
    expect(before.code).toBe(3);
    expect(before.checks.get('Permissions')?.message).toContain(
      `patch seckillevents.seckill.io/status in ${namespace}`,
    );
    expect(before.checks.get('Permissions')?.message).toContain(`get secrets keys in ${namespace}`);
    expect(before.checks.get('Definition')?.message).toContain('may not be asked');
    expect(before.checks.get('PoolSettings')).toMatchObject({ passed: false });
    for (const name of ['Redis', 'Kafka', 'Ledger']) {
      expect(before.checks.get(name), name).toMatchObject({ passed: false, message: expect.stringMatching(/\w/) });
    }
    expect(before.checks.get('Redis')?.message).toContain('ECONNREFUSED');
    expect(before.checks.has('RedisPolicy')).toBe(false);

    await cluster.admin().apply({
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: user } },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }],
    } as KubeObject);
    await eventually(async () => (await checksOf(env)).checks.get('Permissions')?.passed === true);
  });
});
