import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import { type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { SeckillError } from '../../../services/domain/errors.ts';
import type { Log } from '../../../services/kit/log.ts';
import { POOL_SETTINGS_POLL_MS } from './workload-limits.ts';

/** What the release says of every pool: it depends on the chart's values and the image, never on an event. */
export interface PoolSettings {
  release: string;
  /** The release's common labels. */
  labels: Record<string, string>;
  /** What the names of Services end with; `cluster.local` in most clusters. */
  clusterDomain: string;
  port: number;
  podTemplate: V1PodTemplateSpec;
  /** Rules alone; absent: no policy is made. */
  networkPolicy?: { ingress?: object[]; egress?: object[] };
  podDisruptionBudget: { maxUnavailable: number | string };
}

export interface PoolSettingsSource {
  current(): PoolSettings;
  close(): void;
}

/*
 * A schema's `description` completes the sentence "FIELD must be …". Of the pod template only what this platform relies
 * on is checked here; the apiserver checks all of it.
 */
const container = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'the name of the container' }),
    image: Type.String({ minLength: 1, description: 'an image' }),
    resources: Type.Object(
      {
        requests: Type.Object(
          {
            cpu: Type.Union([Type.String({ minLength: 1 }), Type.Number()], {
              description: 'an amount such as "500m"',
            }),
          },
          { description: 'an object with cpu, or the autoscaler could not measure the pods' },
        ),
      },
      { description: 'an object with requests.cpu' },
    ),
  },
  { description: 'a container' },
);

const texts = Type.Record(Type.String(), Type.String(), { description: 'a map of texts' });
const rules = Type.Array(Type.Object({}), { description: 'a list of rules of a NetworkPolicy' });

const SCHEMA = Type.Object(
  {
    release: Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$', description: 'the name of the release' }),
    labels: texts,
    clusterDomain: Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$', description: 'a DNS domain' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'a port number from 1 to 65535' }),
    podTemplate: Type.Object(
      {
        metadata: Type.Optional(
          Type.Object(
            { labels: Type.Optional(texts), annotations: Type.Optional(texts) },
            { description: 'labels and annotations' },
          ),
        ),
        spec: Type.Object(
          {
            containers: Type.Array(container, { minItems: 1, description: 'a list of at least one container' }),
            topologySpreadConstraints: Type.Optional(
              Type.Array(Type.Object({}), { description: 'a list of constraints without their labelSelector' }),
            ),
          },
          { description: 'the spec of a pod' },
        ),
      },
      { description: 'the template of a pod' },
    ),
    networkPolicy: Type.Optional(
      Type.Object(
        { ingress: Type.Optional(rules), egress: Type.Optional(rules) },
        { additionalProperties: false, description: 'an object with ingress, egress, or both' },
      ),
    ),
    podDisruptionBudget: Type.Object(
      {
        maxUnavailable: Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^\\d{1,3}%$' })], {
          description: 'a number of pods, or a percentage such as "25%"',
        }),
      },
      { additionalProperties: false, description: 'an object with maxUnavailable' },
    ),
  },
  { additionalProperties: false, description: 'an object' },
);

/**
 * The settings of a file, or SECKILL_ERR_CONFIG whose message has one line, a sentence, for each wrong field.
 */
export function readPoolSettings(path: string): PoolSettings {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw wrong(
      [`${path} ${error instanceof SyntaxError ? `is not JSON (${error.message})` : 'cannot be read'}`],
      error,
    );
  }
  const problems = problemsOf(SCHEMA, data, '');
  if (problems.length > 0) throw wrong(problems);
  return data as PoolSettings;
}

function wrong(problems: readonly string[], cause?: unknown): SeckillError {
  const lines = problems.map((line) => `SECKILL_POOL_FILE: ${line}.`);
  return new SeckillError('SECKILL_ERR_CONFIG', lines.join('\n'), { cause });
}

/** Follows the file: by its path, so that a mounted ConfigMap is followed too. A later one that is wrong changes nothing. */
export function openPoolSettings({ path, log }: { path: string; log: Log }): PoolSettingsSource {
  let settings = readPoolSettings(path);
  const onChange = (): void => {
    try {
      settings = readPoolSettings(path);
      log.info('the pool settings were read again');
    } catch (error) {
      log.error({ err: error }, 'the pool settings could not be read again: the former ones stay');
    }
  };
  watchFile(path, { interval: POOL_SETTINGS_POLL_MS, persistent: false }, onChange);
  return {
    current: () => settings,
    close: () => unwatchFile(path, onChange),
  };
}

interface Node {
  description?: string;
  properties?: Record<string, TSchema>;
  required?: string[];
  additionalProperties?: unknown;
  items?: TSchema;
}

function problemsOf(schema: TSchema, value: unknown, field: string): string[] {
  // A type guard would call what does not fit `never`.
  const fits: boolean = Value.Check(schema, value);
  if (fits) return [];
  const { description = 'valid', properties, required = [], additionalProperties, items } = schema as Node;
  const named = field === '' ? 'the file' : field;
  if (properties !== undefined && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const given = value as Record<string, unknown>;
    const below = (name: string) => (field === '' ? name : `${field}.${name}`);
    const inner = Object.entries(properties).flatMap(([name, child]) => {
      if (given[name] !== undefined) return problemsOf(child, given[name], below(name));
      return required.includes(name) ? [`${below(name)} is missing: it must be ${(child as Node).description}`] : [];
    });
    const strange = additionalProperties === false ? Object.keys(given).filter((name) => !(name in properties)) : [];
    return [...inner, ...strange.map((name) => `${below(name)} is not a field`)];
  }
  const list: unknown[] = Array.isArray(value) ? value : [];
  if (items !== undefined && list.length > 0) {
    return list.flatMap((item, index) => problemsOf(items, item, `${named}[${index}]`));
  }
  return [`${named} must be ${description}, not ${shown(value)}`];
}

const SHOWN_MAX_CHARS = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN_MAX_CHARS ? `${text.slice(0, SHOWN_MAX_CHARS)}…` : text;
}
