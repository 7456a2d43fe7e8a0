import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findHelm } from '../../tools/kubernetes/helm.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { tempDir } from '../support/temp-dir.ts';

const HELM_TIMEOUT_MS = 120_000;

export const root = join(import.meta.dirname, '../..');

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

export interface HelmRun {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Helm {
  /** Runs Helm with a folder of its own for what it keeps, and with these values, if any, as the last ones. */
  run(args: readonly string[], values?: object): Promise<HelmRun>;
  /** The text of all objects of a chart of helm/, hooks included. Throws what Helm says. */
  template(chart: string, values: object, options?: RenderOptions): Promise<string>;
}

export interface RenderOptions {
  release?: string;
  namespace?: string;
  kubeVersion?: string;
}

/** Helm of that major. Call it at the top level of a file or `describe`. */
export function useHelm(major: 3 | 4): Helm {
  const folder = tempDir();
  let count = 0;
  const run: Helm['run'] = async (args, values) => {
    const helm = await findHelm(serverOptions(process.env), major);
    count += 1;
    const file = join(folder, `values-${count}.json`);
    if (values !== undefined) writeFileSync(file, JSON.stringify(values));
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, HELM_CONFIG_HOME: folder, HELM_CACHE_HOME: folder };
    return runCommand(helm, values === undefined ? args : [...args, '--values', file], {
      env: { ...env, HELM_DATA_HOME: folder },
      timeoutMs: HELM_TIMEOUT_MS,
    });
  };
  return {
    run,
    async template(chart, values, { release = 'sale', namespace = 'shop-system', kubeVersion } = {}) {
      const version = kubeVersion === undefined ? [] : ['--kube-version', kubeVersion];
      const args = ['template', release, join(root, 'helm', chart), '--namespace', namespace, ...version];
      const { code, stdout, stderr } = await run(args, values);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    },
  };
}

/** The objects of a text, read as YAML 1.1, which is how Helm and kubectl read it. */
export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1' })
    .map((document) => {
      if (document.errors.length > 0) throw new Error(document.errors.join('\n'));
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

/** The one object of that kind and name. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`there are ${found.length} objects ${kind} ${name}`);
  return only;
}

/** Values with which the chart says everything that it can, apart from the kinds of the Prometheus Operator. */
export const VALUE_SETS = {
  'the least': {
    redis: { url: 'redis://redis.data:6379' },
    kafka: { brokers: ['kafka-0.data:9092', 'kafka-1.data:9094'] },
    mysql: { url: 'mysql://seckill:pass@mysql.data:3307/seckill' },
  },
  'servers by Secrets, everything on': {
    commonLabels: { team: 'sales' },
    clusterDomain: 'sales.internal',
    image: { repository: 'registry.example.com/seckill', digest: `sha256:${'a'.repeat(64)}` },
    imagePullSecrets: [{ name: 'registry' }],
    redis: {
      existingSecret: 'redis-urls',
      existingSecretKey: 'all',
      componentKeys: { pool: 'pool' },
      ca: { existingSecret: 'redis-ca' },
    },
    kafka: {
      brokers: ['kafka:9093'],
      tls: true,
      ca: { existingSecret: 'kafka-ca', key: 'root.pem' },
      sasl: { mechanism: 'scram-sha-512', existingSecret: 'kafka-user' },
    },
    mysql: { existingSecret: 'mysql-urls', migrationSecretKey: 'owner', ca: { existingSecret: 'mysql-ca' } },
    tokenKeys: { secretName: 'tokens' },
    watchNamespaces: ['shop-a', 'shop-b'],
    serviceAccount: { annotations: { 'example.com/role': 'sales' } },
    edge: {
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
      service: {
        type: 'LoadBalancer',
        loadBalancerClass: 'example.com/lb',
        loadBalancerSourceRanges: ['0.0.0.0/0'],
        externalTrafficPolicy: 'Local',
        annotations: { 'example.com/lb': 'public' },
      },
      ingress: { enabled: true, className: 'public', hosts: ['n', 'sale.example.com'], tlsSecret: 'sale-tls' },
    },
    operator: { priorityClassName: 'sales-high', extraEnv: [{ name: 'NODE_OPTIONS', value: '--trace-warnings' }] },
    pool: {
      maxUnavailable: '25%',
      nodeSelector: { pool: 'hot' },
      tolerations: [{ key: 'hot', operator: 'Exists', effect: 'NoSchedule' }],
      resources: { requests: { cpu: 1 }, limits: { cpu: 2 } },
    },
    priorityClassName: 'sales',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    podLabels: { y: 'n' },
    podAnnotations: { 'example.com/since': '1' },
    topologySpread: { keys: ['topology.kubernetes.io/zone'], whenUnsatisfiable: 'DoNotSchedule' },
    networkPolicy: {
      redis: { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [6379, 26_379] },
      kafka: { to: [{ namespaceSelector: { matchLabels: { name: 'data' } } }] },
      mysql: { to: [{ ipBlock: { cidr: '10.2.0.0/16' } }] },
      apiserver: { to: [{ ipBlock: { cidr: '10.3.0.1/32' } }], ports: [443] },
      dns: { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }] },
      buyers: { from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] },
      edge: { from: [{ namespaceSelector: { matchLabels: { name: 'gateways' } } }] },
      monitoring: { from: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
    },
    monitoring: { dashboards: { enabled: true } },
    uninstall: { force: true },
  },
  'as little as possible': {
    fullnameOverride: 'tiny',
    redis: { url: 'rediss://worker:p%40ss@redis' },
    kafka: { brokers: ['kafka:9092'], sasl: { mechanism: 'plain', username: 'me', password: 'unspoken' } },
    mysql: { url: 'mysql://a:b@mysql/seckill', migrationUrl: 'mysql://root:b@mysql:3308/seckill' },
    crds: { install: false },
    rbac: { aggregate: false },
    operator: { replicas: 1 },
    edge: { enabled: false },
    relay: { replicas: 1 },
    order: { replicas: 1 },
    termination: { preStopSeconds: 0 },
    podDisruptionBudget: { enabled: false },
    networkPolicy: { enabled: false },
    monitoring: { scrapeAnnotations: false },
    migrations: { enabled: false },
    uninstall: { check: false },
  },
  'no annotations on pods': {
    fullnameOverride: 'bare',
    redis: { existingSecret: 'redis-url' },
    kafka: { brokers: ['kafka:9092'] },
    mysql: { existingSecret: 'mysql-url' },
    monitoring: { scrapeAnnotations: false },
  },
} as const;
