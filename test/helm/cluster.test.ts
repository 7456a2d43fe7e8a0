import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { createKubeClient } from '../../operator/platform/kubernetes/client.ts';
import { PERMISSIONS } from '../../operator/platform/kubernetes/permissions.ts';
import { readPoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { findKubernetesProgram } from '../../tools/kubernetes/programs.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { eventually } from '../support/eventually.ts';
import { useControlPlane } from '../support/kubernetes.ts';
import { tempDir } from '../support/temp-dir.ts';
import { find, type Manifest, manifestsOf, root, useHelm, VALUE_SETS } from './helm.ts';
import { liveOnce } from './life-of-a-pool.ts';

const KUBECTL_TIMEOUT_MS = 60_000;

const cluster = useControlPlane();
const helms = { 3: useHelm(3), 4: useHelm(4) };
const dir = tempDir();
let files = 0;

async function kubectl(args: readonly string[], objects?: readonly object[]) {
  const program = await findKubernetesProgram(serverOptions(process.env), 'kubectl');
  files += 1;
  const file = join(dir, `objects-${files}.json`);
  if (objects !== undefined) writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return runCommand(program, [...args, ...(objects === undefined ? [] : ['--filename', file])], {
    env: { KUBECONFIG: cluster.kubeconfigFile(), HOME: dir },
    timeoutMs: KUBECTL_TIMEOUT_MS,
  });
}

/** The administrator's file, but as somebody else. */
function kubeconfigAs(user: string): string {
  const config = parse(readFileSync(cluster.kubeconfigFile(), 'utf8')) as { users: { user: Record<string, string> }[] };
  for (const one of config.users) one.user['as'] = user;
  const file = join(dir, 'operator.kubeconfig');
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return file;
}

/** Throws what kubectl says when it fails, or warns. */
async function must(args: readonly string[], objects?: readonly object[]): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, objects);
  if (code !== 0 || stderr !== '') throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A namespace in which only pods of the standard "restricted" are admitted, with warnings for what would make others. */
async function restrictedNamespace(): Promise<string> {
  const namespace = await cluster.namespace();
  const level = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
  await must(['label', 'namespace', namespace, ...level]);
  return namespace;
}

interface PodSpec {
  topologySpreadConstraints?: object[];
}

/** The pods that these objects would bring, each as one that could be made here. */
function podsOf(manifests: readonly Manifest[], namespace: string): Manifest[] {
  return manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    const pool = (manifest['data'] as Record<string, string> | undefined)?.['pool.json'];
    const { template } = (manifest['spec'] ?? {}) as { template?: Manifest };
    const pod =
      kind === 'Pod'
        ? manifest
        : pool === undefined
          ? template
          : (JSON.parse(pool) as { podTemplate: Manifest }).podTemplate;
    if (pod === undefined) return [];
    const spec = { ...(pod['spec'] as PodSpec), serviceAccountName: 'default' };
    const { volumeClaimTemplates } = (manifest['spec'] ?? {}) as { volumeClaimTemplates?: unknown[] };
    // The claims of a StatefulSet become volumes when it makes its pods.
    if (volumeClaimTemplates !== undefined) Object.assign(spec, { volumes: [{ name: 'data', emptyDir: {} }] });
    // In a pool the operator says which pods are spread.
    const spread = spec.topologySpreadConstraints?.map((constraint) => ({ labelSelector: {}, ...constraint }));
    Object.assign(spec, spread === undefined ? {} : { topologySpreadConstraints: spread });
    return [{ apiVersion: 'v1', kind: 'Pod', metadata: { ...pod.metadata, name: metadata.name, namespace }, spec }];
  });
}

beforeAll(async () => {
  const classes = ['sales', 'sales-high'].map((name) => ({
    ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value: 1 },
  }));
  await must(['create'], classes);
  await must(['create', 'namespace', 'shop-a']);
  await must(['create', 'namespace', 'shop-b']);
});

const CASES = [
  ...Object.entries(VALUE_SETS).map(([name, values]) => ({
    name: `chart with ${name}`,
    chart: 'seckill',
    values,
    pods: 5,
  })),
  { name: 'evaluation chart', chart: 'evaluation', values: {}, pods: 3 },
  {
    name: 'evaluation chart with volumes',
    chart: 'evaluation',
    values: { redis: { storage: '1Gi' }, kafka: { storage: '1Gi' }, mysql: { storage: '1Gi' } },
    pods: 3,
  },
];

describe.each(CASES)('the $name', ({ chart, values, pods: expectedPods }) => {
  it('is taken by the API server without a warning, hooks included', async () => {
    const namespace = await restrictedNamespace();
    const manifests = manifestsOf(await helms[4].template(chart, values, { namespace }));
    // A pod is refused where its account is not there yet.
    const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount');
    if (accounts.length > 0) await must(['apply', '--server-side'], accounts);
    const taken = await must(['apply', '--server-side', '--dry-run=server', '--output=name'], manifests);
    expect(taken.trim().split('\n')).toHaveLength(manifests.length);
  });

  it('brings pods that a namespace of the standard "restricted" admits', async () => {
    const namespace = await restrictedNamespace();
    const pods = podsOf(manifestsOf(await helms[4].template(chart, values, { namespace })), namespace);
    expect(pods.length).toBeGreaterThanOrEqual(expectedPods);
    const taken = await must(['create', '--dry-run=server', '--output=name'], pods);
    expect(taken.trim().split('\n')).toHaveLength(pods.length);
  });
});

/** The definition of events stays on purpose when a release goes, and would hinder the next one. */
function definitionGoesAtTheEnd(): void {
  onTestFinished(async () => {
    await must(['delete', 'crd', 'seckillevents.seckill.io', '--ignore-not-found', '--timeout=60s']);
  });
}

describe('the rights of the operator', () => {
  interface Rule {
    apiGroups: string[];
    resources: string[];
    verbs: string[];
    resourceNames?: string[];
  }

  const only = { lease: 'sale-seckill-operator', 'token-keys': 'sale-seckill-token-keys' };
  const rowsOf = (manifest: Manifest): string[] =>
    (manifest['rules'] as Rule[]).flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) => resourceNames.map((name) => `${verb} ${group}/${resource} ${name}`.trim())),
        ),
      ),
    );
  const rowsOfCode = (scope: 'release' | 'watched'): string[] =>
    PERMISSIONS.filter((permission) => permission.scope === scope).flatMap((permission) =>
      permission.verbs.map((verb) => {
        const name = permission.only === undefined ? '' : only[permission.only];
        return `${verb} ${permission.apiGroup}/${permission.resource} ${name}`.trim();
      }),
    );

  it('are what its code may call, in every namespace and in those that are named', async () => {
    const all = manifestsOf(await helms[4].template('seckill', VALUE_SETS['the least']));
    const named = manifestsOf(
      await helms[4].template('seckill', { ...VALUE_SETS['the least'], watchNamespaces: ['shop-a', 'shop-b'] }),
    );
    const watched = rowsOfCode('watched').sort();
    expect(rowsOf(find(all, 'ClusterRole', 'sale-seckill.shop-system-operator')).sort()).toEqual(watched);
    expect(rowsOf(find(all, 'Role', 'sale-seckill-operator')).sort()).toEqual(rowsOfCode('release').sort());
    const roles = named.filter(({ kind, metadata }) => kind === 'Role' && metadata.name.endsWith('operator-events'));
    expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['shop-a', 'shop-b']);
    for (const role of roles) expect(rowsOf(role).sort()).toEqual(watched);
    const wide = named.filter(({ kind, metadata }) => kind === 'ClusterRole' && !metadata.name.includes('-events-'));
    expect(wide).toEqual([]);
  });

  it('are enough for the life of a pool, and each is used', async () => {
    const [namespace, shop] = [await cluster.namespace(), await cluster.namespace()];
    const manifests = manifestsOf(await helms[4].template('seckill', VALUE_SETS['the least'], { namespace }));
    const kinds = ['ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'];
    const definition = find(manifests, 'CustomResourceDefinition', 'seckillevents.seckill.io');
    definitionGoesAtTheEnd();
    await must(['apply', '--server-side'], [definition, ...manifests.filter(({ kind }) => kinds.includes(kind))]);
    await must(['wait', '--for=condition=Established', 'crd/seckillevents.seckill.io', '--timeout=60s']);
    const settingsFile = join(dir, 'pool.json');
    const { data } = find(manifests, 'ConfigMap', 'sale-seckill-pool') as unknown as { data: Record<string, string> };
    writeFileSync(settingsFile, data['pool.json'] ?? '');
    const admin = createKubeClient({
      ...{ kubeconfigFile: cluster.kubeconfigFile(), fieldManager: 'kubectl', log: pino({ level: 'silent' }) },
    });
    const calls = await liveOnce({
      kubeconfigFile: kubeconfigAs(`system:serviceaccount:${namespace}:sale-seckill-operator`),
      ...{ namespace, shop, admin, settings: readPoolSettings(settingsFile) },
      ...{ leaseName: 'sale-seckill-operator', tokenSecret: 'sale-seckill-token-keys' },
      orphan: (name) => must(['delete', 'configmap', name, '--namespace', namespace, '--cascade=orphan']),
    });
    await admin.close();

    const granted = [...rowsOfCode('release'), ...rowsOfCode('watched')].map((row) => row.split(' ', 2).join(' '));
    expect(calls.filter((call) => !granted.includes(call))).toEqual([]);
    // The first apply of an object asks for "create" as well, in the same call.
    const creates = calls.filter((call) => call.startsWith('patch ')).map((call) => call.replace('patch', 'create'));
    // Asked only after somebody else was faster with a write.
    const rare = ['get apps/deployments', 'get seckill.io/seckillevents'];
    const unused = granted.filter((row) => ![...calls, ...creates, ...rare].includes(row));
    expect(unused).toEqual(['update /configmaps/finalizers']);
  });
});

describe.each([
  { installer: 3, upgrader: 3 },
  { installer: 4, upgrader: 4 },
  { installer: 3, upgrader: 4 },
] as const)('a release that Helm $installer installs and Helm $upgrader upgrades', ({ installer, upgrader }) => {
  it('changes and goes, and leaves the definition of events to the next one', async () => {
    const [namespace, next] = [await restrictedNamespace(), await cluster.namespace()];
    definitionGoesAtTheEnd();
    const chart = join(root, 'helm/seckill');
    const values = { ...VALUE_SETS['the least'], fullnameOverride: 'shop-sale' };
    const helm = async (major: 3 | 4, args: string[], given?: object, where = namespace) => {
      // There is no node here, so that no Job would ever end.
      const options = ['--no-hooks', '--namespace', where, '--kubeconfig', cluster.kubeconfigFile()];
      const { code, stdout, stderr } = await helms[major].run([...args, ...options], given);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    const notes = await helm(installer, ['install', 'sale', chart], values);
    expect(notes).toContain(`kubectl -n ${namespace} rollout status deployment/shop-sale-operator`);
    const names = async () => {
      const kinds = 'deployments,services,configmaps,secrets,poddisruptionbudgets,networkpolicies,roles';
      const found = await must(['get', kinds, '--namespace', namespace, '--output=name']);
      return found.split('\n').filter((name) => name.includes('shop-sale'));
    };
    expect(await names()).toContain('deployment.apps/shop-sale-relay');

    await helm(upgrader, ['upgrade', 'sale', chart], { ...values, image: { tag: 'next' }, relay: { replicas: 3 } });
    const relay = ['get', 'deployment', 'shop-sale-relay', '--namespace', namespace];
    const path = '--output=jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}';
    expect(await must([...relay, path])).toBe('3 registry.local/seckill:next');

    await helm(upgrader, ['uninstall', 'sale']);
    await eventually(async () => expect(await names()).toEqual([]), { deadlineMs: 60_000, intervalMs: 500 });
    await must(['get', 'crd', 'seckillevents.seckill.io']);
    const other = ['install', 'other', chart];
    await expect(helm(upgrader, other, values, next)).rejects.toThrow(/seckillevents.*exists and cannot be imported/s);
    await helm(upgrader, [...other, '--take-ownership'], values, next);
    await helm(upgrader, ['uninstall', 'other'], undefined, next);
  });
});

describe('the definition of events', () => {
  it('keeps its rules on the way through the chart', async () => {
    const namespace = await cluster.namespace();
    const manifests = manifestsOf(await helms[3].template('seckill', VALUE_SETS['the least'], { namespace }));
    const crd = find(manifests, 'CustomResourceDefinition', 'seckillevents.seckill.io');
    await must(['apply', '--server-side'], [crd]);
    const stored = await must(['get', 'crd', 'seckillevents.seckill.io', '--output=json']);
    const count = (text: string) => text.split('"x-kubernetes-validations"').length;
    expect(count(stored)).toBe(count(JSON.stringify(crd)));
    expect(count(stored)).toBeGreaterThan(1);
    expect(readFileSync(join(root, 'helm/seckill/crd/seckillevents.yaml'), 'utf8')).toContain(
      'x-kubernetes-validations',
    );
  });
});
