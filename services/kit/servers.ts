import { readFileSync } from 'node:fs';
import type { Static, TObject } from 'typebox';
import { SeckillError } from '../domain/errors.ts';
import type { KAFKA_VARIABLES, MYSQL_VARIABLES, REDIS_VARIABLES } from './config.ts';
import type { KafkaOptions } from './kafka/port.ts';

/*
 * How a process reaches the servers that its environment names. Certificates are read once: a process that shall trust
 * another authority is started again.
 */

/** What `connectRedis` needs to know of a Redis. */
export interface RedisServer {
  url: string;
  /** PEM. The authority that signed the server's certificate, where the machine does not know it. */
  ca?: string;
}

/** What the ledger needs to know of a database. */
export interface MysqlServer {
  url: string;
  /** PEM. With it the connection is encrypted, and the server's certificate and name are checked. */
  ca?: string;
}

/**
 * Throws SECKILL_ERR_CONFIG when the URL cannot be decoded, and when the file of certificates cannot be read, or would
 * not be used.
 */
export function redisServer(config: Static<TObject<typeof REDIS_VARIABLES>>): RedisServer {
  const { SECKILL_REDIS_URL: url, SECKILL_REDIS_CA_FILE: file } = config;
  try {
    decodeURIComponent(url);
  } catch (cause) {
    throw wrongConfig('SECKILL_REDIS_URL: a % in it must be written as %25.', cause);
  }
  if (file !== undefined && !url.startsWith('rediss://')) {
    const sentence = 'SECKILL_REDIS_CA_FILE is set, so SECKILL_REDIS_URL must begin with rediss:// (TLS).';
    throw new SeckillError('SECKILL_ERR_CONFIG', sentence);
  }
  return { url, ...readCa('SECKILL_REDIS_CA_FILE', file) };
}

export function mysqlServer(config: Static<TObject<typeof MYSQL_VARIABLES>>): MysqlServer {
  return { url: config.SECKILL_MYSQL_URL, ...readCa('SECKILL_MYSQL_CA_FILE', config.SECKILL_MYSQL_CA_FILE) };
}

export function kafkaServers(
  config: Static<TObject<typeof KAFKA_VARIABLES>>,
): Pick<KafkaOptions, 'brokers' | 'tls' | 'sasl'> {
  const {
    SECKILL_KAFKA_TLS: tls,
    SECKILL_KAFKA_CA_FILE: file,
    SECKILL_KAFKA_SASL_MECHANISM: mechanism,
    SECKILL_KAFKA_SASL_USERNAME: username,
    SECKILL_KAFKA_SASL_PASSWORD: password,
  } = config;
  if (file !== undefined && !tls) {
    throw new SeckillError('SECKILL_ERR_CONFIG', 'SECKILL_KAFKA_CA_FILE is set, so SECKILL_KAFKA_TLS must be true.');
  }
  const named = [mechanism, username, password].filter((value) => value !== undefined).length;
  if (named !== 0 && named !== 3) {
    const variables = 'SECKILL_KAFKA_SASL_MECHANISM, SECKILL_KAFKA_SASL_USERNAME and SECKILL_KAFKA_SASL_PASSWORD';
    throw new SeckillError('SECKILL_ERR_CONFIG', `${variables} must be set together, or none of them.`);
  }
  return {
    brokers: config.SECKILL_KAFKA_BROKERS.split(','),
    ...(tls ? { tls: readCa('SECKILL_KAFKA_CA_FILE', file) } : {}),
    ...(mechanism === undefined || username === undefined || password === undefined
      ? {}
      : { sasl: { mechanism, username, password } }),
  };
}

function readCa(variable: string, path: string | undefined): { ca?: string } {
  if (path === undefined) return {};
  const wrong = (what: string, cause?: unknown): SeckillError => wrongConfig(`${variable}: ${path} ${what}.`, cause);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong('cannot be read', error);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return { ca: text };
  throw wrong('holds no certificate in PEM');
}

function wrongConfig(sentence: string, cause: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_CONFIG', sentence, { cause });
}
