import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { SeckillError } from '../domain/errors.ts';

/*
 * A schema's `description` completes the sentence "NAME must be …". Values are printed back to the person who set them,
 * unless the schema says `secret: true`.
 */
const secret = { secret: true } as const;

/** What every process reads. */
export const BASE_VARIABLES = {
  SECKILL_HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'an address to listen on' }),
  SECKILL_PORT: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: 'a port number from 0 (any free port) to 65535',
  }),
  SECKILL_LOG_LEVEL: Type.Union(
    (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).map((level) => Type.Literal(level)),
    { default: 'info', description: 'one of trace, debug, info, warn, error, fatal and silent' },
  ),
  SECKILL_INSTANCE: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,128}$',
      description: '1 to 128 letters, digits, dots, dashes, underscores',
    }),
  ),
  SECKILL_FAULT: Type.Optional(Type.String({ description: 'a fault point, or one with @pass' })),
  SECKILL_FAULT_MARKER: Type.Optional(Type.String({ description: 'the path of a file' })),
};

const certificates = Type.String({ minLength: 1, description: 'the path of a file with certificates in PEM' });

export const REDIS_VARIABLES = {
  SECKILL_REDIS_URL: Type.String({
    ...secret,
    pattern: '^rediss?://.+',
    description: 'a URL such as redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379',
  }),
  SECKILL_REDIS_CA_FILE: Type.Optional(certificates),
};

export const KAFKA_VARIABLES = {
  SECKILL_KAFKA_BROKERS: Type.String({
    pattern: '^[^,:\\s]+:\\d+(,[^,:\\s]+:\\d+)*$',
    description: 'a comma-separated list of HOST:PORT',
  }),
  SECKILL_KAFKA_TLS: Type.Boolean({ default: false, description: 'true or false' }),
  SECKILL_KAFKA_CA_FILE: Type.Optional(certificates),
  SECKILL_KAFKA_SASL_MECHANISM: Type.Optional(
    Type.Union([Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')], {
      description: 'one of plain, scram-sha-256 and scram-sha-512',
    }),
  ),
  SECKILL_KAFKA_SASL_USERNAME: Type.Optional(Type.String({ description: 'the name of a user' })),
  SECKILL_KAFKA_SASL_PASSWORD: Type.Optional(Type.String({ ...secret, description: 'a password' })),
};

export const MYSQL_VARIABLES = {
  SECKILL_MYSQL_URL: Type.String({
    ...secret,
    pattern: '^mysql://[^/]+/[^/?]+',
    description: 'a URL such as mysql://USER:PASSWORD@HOST:3306/DATABASE',
  }),
  SECKILL_MYSQL_CA_FILE: Type.Optional(certificates),
};

export const TOKEN_VARIABLES = {
  SECKILL_TOKEN_KEYS_FILE: Type.String({ minLength: 1, description: 'the path of the file with the token keys' }),
};

export type BaseConfig = Static<TObject<typeof BASE_VARIABLES>>;

/**
 * Reads what the schema names from the environment. An empty variable counts as a missing one.
 * Throws SECKILL_ERR_CONFIG; its message has one line, a sentence, for each wrong or missing variable.
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const properties: TProperties = schema.properties;
  const given: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const text = env[name];
    if (text !== undefined && text !== '') given[name] = convert(property, text);
  }
  const config = Value.Default(schema, given);
  if (Value.Check(schema, config)) return config;

  const required = new Set<string>(schema.required ?? []);
  const problems: string[] = [];
  for (const [name, property] of Object.entries(properties)) {
    const value = (config as Record<string, unknown>)[name];
    if (value === undefined) {
      if (required.has(name)) problems.push(`${name} is missing: it must be ${expectation(property)}.`);
    } else if (!Value.Check(property, value)) {
      const shown = isSecret(property) ? '' : `, not "${String(given[name])}"`;
      problems.push(`${name} must be ${expectation(property)}${shown}.`);
    }
  }
  throw new SeckillError('SECKILL_ERR_CONFIG', problems.join('\n'));
}

/** A variable is a text; what is to be a number or a flag is read strictly, or left a text that will not fit. */
function convert(property: TSchema, text: string): unknown {
  const { type } = property as { type?: unknown };
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function expectation(property: TSchema): string {
  const description = (property as { description?: unknown }).description;
  return typeof description === 'string' ? description : JSON.stringify(property);
}

function isSecret(property: TSchema): boolean {
  return (property as { secret?: unknown }).secret === true;
}
