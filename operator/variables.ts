import { type Static, type TObject, Type } from 'typebox';
import { SeckillError } from '../services/domain/errors.ts';
import { TOKEN_VARIABLES } from '../services/kit/config.ts';

const DNS_LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const DNS_SUBDOMAIN = '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$';

/** What an operator reads beside the addresses of Redis, Kafka and the database. Each platform needs some of them. */
export const OPERATOR_VARIABLES = {
  SECKILL_PLATFORM: Type.Union([Type.Literal('host'), Type.Literal('kubernetes')], {
    default: 'host',
    description: 'host or kubernetes',
  }),
  SECKILL_REPLICATION_FACTOR: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 9,
    description: 'the number of replicas of topics that are created, from 1 to 9',
  }),
  SECKILL_STATE_DIR: Type.Optional(
    Type.String({ description: 'the folder in which the host platform keeps its state' }),
  ),
  SECKILL_TOKEN_KEYS_FILE: Type.Optional(TOKEN_VARIABLES.SECKILL_TOKEN_KEYS_FILE),
  SECKILL_POD_ENV: Type.String({
    default: '{}',
    pattern: '^\\{[\\s\\S]*\\}$',
    description: 'a JSON object of variables that the pods get as well',
  }),
  SECKILL_NAMESPACE: Type.Optional(
    Type.String({ pattern: `^${DNS_LABEL}$`, description: 'the namespace of the release' }),
  ),
  SECKILL_WATCH_NAMESPACES: Type.Optional(
    Type.String({
      pattern: `^${DNS_LABEL}(,${DNS_LABEL})*$`,
      description: 'a comma-separated list of namespaces, or empty for all',
    }),
  ),
  SECKILL_POOL_FILE: Type.Optional(Type.String({ description: 'the path of the file with the settings of all pools' })),
  SECKILL_LEASE_NAME: Type.String({
    default: 'seckill-operator',
    pattern: DNS_SUBDOMAIN,
    description: 'the name of the Lease by which one operator leads',
  }),
  SECKILL_TOKEN_SECRET: Type.Optional(
    Type.String({ pattern: DNS_SUBDOMAIN, description: 'the name of the Secret with the token keys' }),
  ),
  KUBECONFIG: Type.Optional(Type.String({ description: 'the path of a kubeconfig' })),
  /** Set in every pod. */
  KUBERNETES_SERVICE_HOST: Type.Optional(Type.String({ description: 'an address' })),
};

type OperatorConfig = Static<TObject<typeof OPERATOR_VARIABLES>>;

export interface HostChoice {
  kind: 'host';
  stateDir: string;
  tokenKeysFile: string;
  podEnv: Record<string, string>;
}

export interface KubernetesChoice {
  kind: 'kubernetes';
  namespace: string;
  watchNamespaces: string[];
  poolFile: string;
  leaseName: string;
  tokenSecret: string;
  /** Absent: as the service account of this pod. */
  kubeconfigFile: string | undefined;
}

/** The platform that the environment asks for; SECKILL_ERR_CONFIG with a sentence for each variable that it lacks. */
export function platformChoice(config: OperatorConfig): HostChoice | KubernetesChoice {
  const missing: string[] = [];
  const needed = (name: keyof OperatorConfig): string => {
    const value = config[name];
    if (typeof value === 'string') return value;
    const { description } = OPERATOR_VARIABLES[name] as { description?: string };
    missing.push(`${name} is missing: with SECKILL_PLATFORM=${config.SECKILL_PLATFORM} it must be ${description}.`);
    return '';
  };
  const choice = config.SECKILL_PLATFORM === 'host' ? host(config, needed) : kubernetes(config, needed);
  if (choice.kind === 'kubernetes' && config.KUBECONFIG === undefined && config.KUBERNETES_SERVICE_HOST === undefined) {
    missing.push('KUBECONFIG is missing: outside of a pod it must be the path of a kubeconfig.');
  }
  if (missing.length > 0) throw new SeckillError('SECKILL_ERR_CONFIG', missing.join('\n'));
  return choice;
}

type Needed = (name: keyof OperatorConfig) => string;

function host(config: OperatorConfig, needed: Needed): HostChoice {
  return {
    kind: 'host',
    stateDir: needed('SECKILL_STATE_DIR'),
    tokenKeysFile: needed('SECKILL_TOKEN_KEYS_FILE'),
    podEnv: JSON.parse(config.SECKILL_POD_ENV) as Record<string, string>,
  };
}

function kubernetes(config: OperatorConfig, needed: Needed): KubernetesChoice {
  return {
    kind: 'kubernetes',
    namespace: needed('SECKILL_NAMESPACE'),
    watchNamespaces: config.SECKILL_WATCH_NAMESPACES?.split(',') ?? [],
    poolFile: needed('SECKILL_POOL_FILE'),
    leaseName: config.SECKILL_LEASE_NAME,
    tokenSecret: needed('SECKILL_TOKEN_SECRET'),
    kubeconfigFile: config.KUBECONFIG,
  };
}
