/*
 * What values.schema.json says beyond types, by the path of the value. Types, descriptions and defaults come from
 * values.yaml. Helm shows a pattern as it is; where that would not help, templates/_checks.tpl has a sentence instead.
 */

type Fragment = Record<string, unknown>;

const count = (minimum: number, maximum: number): Fragment => ({ type: 'integer', minimum, maximum });
const oneOf = (...values: string[]): Fragment => ({ enum: values });
const matching = (pattern: string): Fragment => ({ type: 'string', pattern });

/** A number of pods or a share of them, as disruption budgets have it. */
const share: Fragment = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: '^[0-9]{1,3}%$' },
  ],
};
const dnsLabel = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';
const texts: Fragment = { type: 'object', additionalProperties: { type: 'string' } };
const list = (items: Fragment): Fragment => ({ type: 'array', items });
const ports = list(count(1, 65_535));
const objects = list({ type: 'object' });
const quantity: Fragment = { type: ['string', 'number'] };
const duration = matching('^[0-9]+(ms|s|m|h)$');

const COMPONENTS = ['operator', 'edge', 'relay', 'order', 'pool'];

const ofEachComponent = (component: string): Record<string, Fragment> => ({
  ...(component === 'pool' ? {} : { [`${component}.replicas`]: count(0, 1_000) }),
  [`${component}.extraEnv`]: list({ type: 'object', required: ['name'] }),
  [`${component}.nodeSelector`]: texts,
  [`${component}.tolerations`]: objects,
  ...ofResources(component),
});

const ofResources = (owner: string): Record<string, Fragment> => ({
  [`${owner}.resources.requests`]: { additionalProperties: quantity },
  [`${owner}.resources.requests.cpu`]: quantity,
  [`${owner}.resources.requests.memory`]: quantity,
  [`${owner}.resources.limits`]: { additionalProperties: quantity },
  [`${owner}.resources.limits.memory`]: quantity,
});

const ofSeckill: Record<string, Fragment> = {
  fullnameOverride: matching(`^(${dnsLabel})?$`),
  commonLabels: texts,
  clusterDomain: matching('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$'),
  'image.repository': { minLength: 1 },
  'image.digest': matching('^(sha256:[0-9a-f]{64})?$'),
  'image.pullPolicy': oneOf('Always', 'IfNotPresent', 'Never'),
  imagePullSecrets: list({ type: 'object', required: ['name'] }),
  'redis.componentKeys': {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      ['operator', 'relay', 'order', 'pool', 'preflight'].map((name) => [name, { type: 'string' }]),
    ),
  },
  'kafka.brokers': list({ type: 'string' }),
  'kafka.replicationFactor': count(1, 9),
  'kafka.sasl.mechanism': oneOf('', 'plain', 'scram-sha-256', 'scram-sha-512'),
  watchNamespaces: list(matching(`^${dnsLabel}$`)),
  'serviceAccount.annotations': texts,
  'edge.workers': count(1, 64),
  'edge.trustedProxies': list({ type: 'string' }),
  'edge.service.type': oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
  'edge.service.port': count(1, 65_535),
  'edge.service.nodePort': count(0, 65_535),
  'edge.service.loadBalancerSourceRanges': list({ type: 'string' }),
  'edge.service.externalTrafficPolicy': oneOf('Cluster', 'Local'),
  'edge.service.annotations': texts,
  'edge.ingress.annotations': texts,
  'edge.ingress.hosts': list({ type: 'string', minLength: 1 }),
  'pool.maxUnavailable': share,
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  nodeSelector: texts,
  tolerations: objects,
  podLabels: texts,
  podAnnotations: texts,
  'topologySpread.keys': list({ type: 'string', minLength: 1 }),
  'topologySpread.whenUnsatisfiable': oneOf('ScheduleAnyway', 'DoNotSchedule'),
  'termination.preStopSeconds': count(0, 600),
  'termination.graceSeconds': count(16, 3_600),
  'podDisruptionBudget.maxUnavailable': share,
  ...Object.fromEntries(
    ['redis', 'kafka', 'mysql', 'apiserver'].flatMap((server) => [
      [`networkPolicy.${server}.to`, objects],
      [`networkPolicy.${server}.ports`, ports],
    ]),
  ),
  'networkPolicy.dns.to': objects,
  'networkPolicy.buyers.from': objects,
  'networkPolicy.edge.from': objects,
  'networkPolicy.monitoring.from': objects,
  'monitoring.runbooksUrl': { minLength: 1 },
  'monitoring.podMonitor.labels': texts,
  'monitoring.podMonitor.interval': duration,
  'monitoring.podMonitor.scrapeTimeout': duration,
  'monitoring.rules.labels': texts,
  'monitoring.dashboards.labels': texts,
  'migrations.timeoutSeconds': count(10, 86_400),
  ...ofResources('hooks'),
  ...Object.assign({}, ...COMPONENTS.map(ofEachComponent)),
};

const ofEvaluation: Record<string, Fragment> = {
  'redis.maxMemory': matching('^[0-9]+(kb|mb|gb)$'),
  'kafka.heap': matching('^[0-9]+[kmg]$'),
  'mysql.password': { minLength: 1 },
  ...Object.fromEntries(
    ['redis', 'kafka', 'mysql'].flatMap((server) => [
      [`${server}.image`, { minLength: 1 }],
      [`${server}.storage`, quantity],
      ...Object.entries(ofResources(server)),
    ]),
  ),
};

/** By the folder of the chart in helm/. */
export const CHARTS: Readonly<Record<string, Readonly<Record<string, Fragment>>>> = {
  seckill: ofSeckill,
  evaluation: ofEvaluation,
};
