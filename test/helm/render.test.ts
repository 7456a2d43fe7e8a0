import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPoolSettings } from '../../operator/platform/kubernetes/pool-settings.ts';
import { POD_NODE_FLAGS } from '../../services/kit/node-flags.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { tempDir } from '../support/temp-dir.ts';
import { find, type Manifest, manifestsOf, root, useHelm, VALUE_SETS } from './helm.ts';

const helm3 = useHelm(3);
const helm4 = useHelm(4);
const dir = tempDir();
const LEAST = VALUE_SETS['the least'];

interface Container {
  name: string;
  args: string[];
  env?: { name: string; value?: string; valueFrom?: object }[];
  lifecycle?: object;
}

interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: { containers: Container[]; volumes: { name: string }[]; [field: string]: unknown };
}

function templateOf(manifests: readonly Manifest[], name: string): PodTemplate {
  return (find(manifests, 'Deployment', name)['spec'] as { template: PodTemplate }).template;
}

function poolFileOf(manifests: readonly Manifest[], name = 'sale-seckill-pool'): string {
  return (find(manifests, 'ConfigMap', name)['data'] as Record<string, string>)['pool.json'] ?? '';
}

function annotationsOf(template: PodTemplate): Record<string, string> {
  return template.metadata.annotations ?? {};
}

describe.each(Object.entries(VALUE_SETS))('the chart with %s', (_name, values) => {
  it('is the same in both Helms, and the same again', async () => {
    const first = await helm3.template('seckill', values);
    expect(manifestsOf(await helm4.template('seckill', values))).toEqual(manifestsOf(first));
    expect(await helm3.template('seckill', values)).toBe(first);
    // Read as YAML 1.1 and as 1.2 it says the same: no bare `y`, `n` or `no`.
    const newer = first.split(/^---$/m).map((text) => parse(text, { version: '1.2' }) as unknown);
    expect(newer.filter((manifest) => manifest !== null)).toEqual(manifestsOf(first));
  });

  it('gives pools a file that the operator can read', async () => {
    const manifests = manifestsOf(await helm4.template('seckill', values));
    const prefix = 'fullnameOverride' in values ? values.fullnameOverride : 'sale-seckill';
    const file = join(dir, `${prefix}.json`);
    writeFileSync(file, poolFileOf(manifests, `${prefix}-pool`));
    const settings = readPoolSettings(file);
    const [container] = settings.podTemplate.spec?.containers ?? [];
    expect(container?.args).toEqual([...POD_NODE_FLAGS, 'services/seckill/main.ts']);
    expect(settings.podTemplate.spec?.topologySpreadConstraints?.[0]).not.toHaveProperty('labelSelector');
  });

  it('starts no process with a variable or a file that the code does not know', async () => {
    const manifests = manifestsOf(await helm4.template('seckill', values));
    const code = globSync('{cli,services,operator}/**/*.ts', { cwd: root });
    const sources = code.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
    const named = new Set(
      [...JSON.stringify(manifests).matchAll(/name\\?": ?\\?"(SECKILL_[A-Z_]+)/g)].map(([, name = '']) => name),
    );
    expect(named).toContain('SECKILL_TOKEN_KEYS_FILE');
    expect([...named].filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([]);
    const started = [...JSON.stringify(manifests).matchAll(/(?:services|operator|cli)\/[a-z/]*main\.ts/g)];
    expect(started.length).toBeGreaterThan(3);
    for (const [path] of started) expect(existsSync(join(root, path)), path).toBe(true);
  });
});

describe('the chart', () => {
  it('has nothing that Helm would warn of', async () => {
    for (const { run } of [helm3, helm4]) {
      const { code, stdout } = await run(['lint', '--strict', join(root, 'helm/seckill')], LEAST);
      expect({ code, warned: stdout.includes('[WARNING]') }).toEqual({ code: 0, warned: false });
    }
  });

  it('has the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const chart = parse(readFileSync(join(root, 'helm/seckill/Chart.yaml'), 'utf8')) as Record<string, string>;
    expect([chart['version'], chart['appVersion']]).toEqual([version, version]);
  });

  it('keeps the definition of events when the release goes, and changes nothing else of it', async () => {
    const text = readFileSync(join(root, 'helm/seckill/crd/seckillevents.yaml'), 'utf8');
    const manifests = manifestsOf(await helm4.template('seckill', LEAST));
    const { metadata, ...crd } = find(manifests, 'CustomResourceDefinition', 'seckillevents.seckill.io');
    const { metadata: _, ...expected } = parse(text) as Manifest;
    expect(crd).toEqual(expected);
    expect(metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
  });

  it('replaces pods when a URL in the values changes, and not when the size of a pool does', async () => {
    const render = async (values: object) => manifestsOf(await helm4.template('seckill', { ...LEAST, ...values }));
    const before = await render({});
    const otherRedis = await render({ redis: { url: 'redis://other:6379' } });
    const otherPool = await render({ pool: { resources: { requests: { cpu: '2' } } } });
    for (const component of ['operator', 'relay', 'order']) {
      const name = `sale-seckill-${component}`;
      expect(annotationsOf(templateOf(otherRedis, name))).not.toEqual(annotationsOf(templateOf(before, name)));
      expect(templateOf(otherPool, name)).toEqual(templateOf(before, name));
    }
    expect(templateOf(otherRedis, 'sale-seckill-edge')).toEqual(templateOf(before, 'sale-seckill-edge'));
    expect(poolFileOf(otherRedis)).not.toBe(poolFileOf(before));
  });

  it('lets serving pods wait before they end, on clusters with and without a sleep of their own', async () => {
    const at = async (kubeVersion: string) =>
      templateOf(manifestsOf(await helm4.template('seckill', LEAST, { kubeVersion })), 'sale-seckill-order').spec
        .containers[0]?.lifecycle;
    expect(await at('v1.34.0')).toEqual({ preStop: { sleep: { seconds: 10 } } });
    expect(await at('v1.29.3')).toEqual({
      preStop: { exec: { command: ['/usr/local/bin/node', '-e', 'setTimeout(() => {}, 10000)'] } },
    });
    await expect(at('v1.28.0')).rejects.toThrow(/kubeVersion: >=1\.29/);
  });

  it('takes names that YAML reads as numbers for names', async () => {
    const values = { ...LEAST, watchNamespaces: ['2027'] };
    const manifests = manifestsOf(await helm4.template('seckill', values, { release: '2026', namespace: '1e3' }));
    const settingsFile = join(dir, 'numbers.json');
    writeFileSync(settingsFile, poolFileOf(manifests, '2026-seckill-pool'));
    expect(readPoolSettings(settingsFile)).toMatchObject({
      ...{ release: '2026', labels: { 'app.kubernetes.io/instance': '2026' } },
    });
    const text = (value: unknown) => value === undefined || typeof value === 'string';
    const wrong = manifests.filter(({ metadata }) => {
      const { name, namespace, labels = {} } = metadata;
      return ![name, namespace, ...Object.values(labels)].every(text);
    });
    expect(wrong.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    expect(JSON.stringify(manifests)).not.toMatch(/"namespace":[^"]|instance":[^"]/);
  });

  it('tells people of the user of Redis that was tried', () => {
    // test/servers/secured.test.ts gives its Redis the user of the guide.
    const user = /^user seckill on >PASSWORD .*$/m.exec(readFileSync(join(root, 'docs/servers.md'), 'utf8'))?.[0];
    if (user === undefined) throw new Error('docs/servers.md names no user of Redis');
    expect(readFileSync(join(root, 'helm/seckill/README.md'), 'utf8')).toContain(user);
  });

  it('opens the ports of the servers that it is told of, and no other', async () => {
    const ports = async (name: string, values: object) => {
      const policy = find(manifestsOf(await helm4.template('seckill', values)), 'NetworkPolicy', name);
      const { egress } = policy['spec'] as { egress: { ports: { port: number }[] }[] };
      return egress.map((rule) => rule.ports.map(({ port }) => port));
    };
    expect(await ports('sale-seckill-operator', LEAST)).toEqual([[53, 53], [6379], [9092, 9094], [3307], [443, 6443]]);
    expect(await ports('sale-seckill-relay', LEAST)).toEqual([[53, 53], [6379], [9092, 9094]]);
    const passwords = { ...LEAST, redis: { url: 'rediss://user:a:1@b@redis:7000/0' } };
    expect(await ports('sale-seckill-relay', passwords)).toEqual([[53, 53], [7000], [9092, 9094]]);
  });

  it('lets an edge of your own reach what its own does, and finds both by the names of this cluster', async () => {
    const own = { namespaceSelector: { matchLabels: { name: 'gateways' } } };
    const values = { ...LEAST, clusterDomain: 'sales.internal', networkPolicy: { edge: { from: [own] } } };
    const manifests = manifestsOf(await helm4.template('seckill', values));
    const settings = JSON.parse(poolFileOf(manifests)) as { networkPolicy: { ingress: { from: object[] }[] } };
    expect(settings).toMatchObject({ clusterDomain: 'sales.internal' });
    expect(settings.networkPolicy.ingress[0]?.from).toEqual([expect.anything(), own]);
    for (const component of ['operator', 'order']) {
      const policy = find(manifests, 'NetworkPolicy', `sale-seckill-${component}`)['spec'];
      expect((policy as { ingress: { from: object[] }[] }).ingress[0]?.from).toEqual([expect.anything(), own]);
    }
    const names = JSON.stringify(templateOf(manifests, 'sale-seckill-edge').spec.containers[0]?.env);
    expect(names).toContain('sale-seckill-order.shop-system.svc.sales.internal:8080');
    expect(names).toContain('http://sale-seckill-operator.shop-system.svc.sales.internal:8080/routes');
  });

  it('shows no password anywhere but in Secrets', async () => {
    const values = VALUE_SETS['as little as possible'];
    const manifests = manifestsOf(await helm4.template('seckill', values));
    const open = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Secret'));
    expect(['p%40ss', 'a:b@', 'root:b', 'unspoken'].filter((password) => open.includes(password))).toEqual([]);
    const secret = find(manifests, 'Secret', 'tiny-servers')['data'] as Record<string, string>;
    expect(Buffer.from(secret['redis-url'] ?? '', 'base64').toString()).toBe(values.redis.url);
  });
});

describe('the hooks of the chart', () => {
  it.each([
    ['its own account', {}, 'sale-seckill-uninstall-check'],
    ["the operator's account where Roles are not the chart's", { rbac: { create: false } }, 'sale-seckill-operator'],
    [
      "the operator's account where accounts are not the chart's",
      { serviceAccount: { create: false, operatorName: 'mine' } },
      'mine',
    ],
  ])('look whether the release may go with %s', async (_what, values, account) => {
    const manifests = manifestsOf(await helm4.template('seckill', { ...LEAST, ...values }));
    const job = find(manifests, 'Job', 'sale-seckill-uninstall-check')['spec'] as { template: PodTemplate };
    expect(job.template.spec['serviceAccountName']).toBe(account);
    const named = manifests.filter(({ metadata }) => metadata.name.includes('uninstall-check'));
    const made = named.some(({ kind }) => kind === 'ServiceAccount');
    expect(made).toBe(account === 'sale-seckill-uninstall-check');
    expect(named.some(({ kind }) => kind === 'ClusterRoleBinding')).toBe(made);
  });

  const seckill = async (...args: string[]) => runCommand(process.execPath, [join(root, 'cli/main.ts'), ...args]);

  it('call commands and options that there are', async () => {
    const manifests = manifestsOf(await helm4.template('seckill', { ...LEAST, uninstall: { force: true } }));
    const called = [...JSON.stringify(manifests).matchAll(/"args":\["cli\/main\.ts","([a-z-]+)"(?:,"(--[a-z]+)")?\]/g)];
    const calls = called.map(([, command = '', option = '']) => [command, option]);
    expect(calls.sort()).toEqual([
      ['migrate', ''],
      ['preflight', ''],
      ['uninstall-check', '--force'],
    ]);
    for (const [command = '', option = ''] of calls) {
      const { code, stdout } = await seckill(command, '--help');
      expect({ code, usage: stdout.split('\n')[0] }).toEqual({ code: 0, usage: `Usage: seckill ${command} [options]` });
      expect(stdout).toContain(option);
    }
  });
});

describe('values that cannot work', () => {
  const refused: readonly [string, object, RegExp][] = [
    ['no Redis', { redis: { url: '' } }, /redis\.url is empty: set it to a URL such as redis:\/\/HOST:6379/],
    ['another Redis', { redis: { url: 'http://redis' } }, /redis\.url must be a URL such as redis:/],
    ['a CA without rediss', { redis: { url: 'redis://r', ca: { existingSecret: 'ca' } } }, /must begin with rediss:/],
    ['no Kafka', { kafka: { brokers: [] } }, /kafka\.brokers is empty: set it to a list such as/],
    ['a broker without a port', { kafka: { brokers: ['kafka'] } }, /"kafka": each broker is written as HOST:PORT/],
    ['no MySQL', { mysql: { url: '' } }, /mysql\.url is empty: set it to a URL such as mysql:/],
    ['no database', { mysql: { url: 'mysql://a@b' } }, /mysql\.url must be a URL such as mysql:.*\/DATABASE/],
    [
      'migrations without a database',
      { mysql: { url: 'mysql://a@b/c', migrationUrl: 'b' } },
      /mysql\.migrationUrl must be/,
    ],
    ['a login without a user', { kafka: { brokers: ['k:1'], sasl: { mechanism: 'plain' } } }, /set kafka\.sasl\.exist/],
    ['a user without a login', { kafka: { brokers: ['k:1'], sasl: { username: 'u' } } }, /set kafka\.sasl\.mechanism/],
    [
      'a CA without TLS',
      { kafka: { brokers: ['k:1'], ca: { existingSecret: 'ca' } } },
      /kafka\.tls is false: set kafka\.tls to true/,
    ],
    ['pods without CPU', { pool: { resources: { requests: { cpu: null } } } }, /cpu is empty: set it \(500m\)/],
    ['an Ingress for nobody', { edge: { ingress: { enabled: true } } }, /edge\.ingress\.hosts is empty: set it/],
    ['a proxy by name', { edge: { trustedProxies: ['lb'] } }, /has "lb": each is a CIDR such as 10\.0\.0\.0\/8/],
    ['no time to end', { termination: { preStopSeconds: 20 } }, /termination\.graceSeconds must be at least 36/],
    [
      'readings too rare for the rules',
      { monitoring: { rules: { enabled: true }, podMonitor: { enabled: true, interval: '10s' } } },
      /monitoring\.podMonitor\.interval is 10s: .*set it to 5s or less/,
    ],
    [
      "a label that is the chart's own",
      { podLabels: { 'app.kubernetes.io/name': 'x' } },
      /podLabels has "app\.kubernetes\.io\/name": labels of app\.kubernetes\.io\/ are the chart's own/,
    ],
    ['no account', { serviceAccount: { create: false } }, /set serviceAccount\.operatorName/],
    ['a misspelt value', { redsi: { url: 'x' } }, /dditional propert(y|ies) '?redsi'? (is )?not allowed/],
    ['another type', { edge: { service: { type: 'External' } } }, /ClusterIP.*NodePort.*LoadBalancer/],
    ['a negative number', { operator: { replicas: -1 } }, /operator[./]replicas.*\b0\b/],
    ['text for a number', { kafka: { brokers: ['k:1'], replicationFactor: 'three' } }, /replicationFactor.*integer/],
  ];

  it.each(refused)('are refused: %s', async (_name, wrong, sentence) => {
    await expect(helm4.template('seckill', { ...LEAST, ...wrong })).rejects.toThrow(sentence);
  });

  it('are refused by Helm 3 too, all problems at once', async () => {
    const problems = helm3.template('seckill', { image: { tag: 'x' } });
    await expect(problems).rejects.toThrow(/redis\.url[\s\S]*kafka\.brokers[\s\S]*mysql\.url/);
    await expect(helm3.template('seckill', { ...LEAST, logLevel: 'loud' })).rejects.toThrow(/logLevel.*"info"/);
  });
});
