import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { isSeckillError } from '../../services/domain/errors.ts';
import {
  BASE_VARIABLES,
  KAFKA_VARIABLES,
  loadConfig,
  MYSQL_VARIABLES,
  REDIS_VARIABLES,
  TOKEN_VARIABLES,
} from '../../services/kit/config.ts';

const schema = Type.Object({
  ...BASE_VARIABLES,
  ...REDIS_VARIABLES,
  ...KAFKA_VARIABLES,
  ...MYSQL_VARIABLES,
  ...TOKEN_VARIABLES,
});
const good = {
  SECKILL_REDIS_URL: 'redis://127.0.0.1:6379',
  SECKILL_KAFKA_BROKERS: '127.0.0.1:9092,127.0.0.1:9093',
  SECKILL_MYSQL_URL: 'mysql://seckill:swordfish@127.0.0.1:3306/seckill',
  SECKILL_TOKEN_KEYS_FILE: '/run/token-keys.json',
};

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(schema, env);
    return [];
  } catch (error) {
    if (!isSeckillError(error, 'SECKILL_ERR_CONFIG')) throw error;
    return error.message.split('\n');
  }
}

describe('the configuration', () => {
  it('takes what the schema names, as what it is, with defaults for the rest', () => {
    expect(loadConfig(schema, { ...good, SECKILL_PORT: '0', PATH: '/bin', SECKILL_OTHER: 'x' })).toEqual({
      ...good,
      SECKILL_HOST: '127.0.0.1',
      SECKILL_PORT: 0,
      SECKILL_LOG_LEVEL: 'info',
      SECKILL_KAFKA_TLS: false,
    });
  });

  it('names every missing and every wrong variable, each in a sentence', () => {
    expect(
      problemsOf({
        SECKILL_PORT: 'http',
        SECKILL_LOG_LEVEL: 'loud',
        SECKILL_KAFKA_BROKERS: 'broker',
        SECKILL_REDIS_URL: '',
      }),
    ).toEqual([
      'SECKILL_PORT must be a port number from 0 (any free port) to 65535, not "http".',
      'SECKILL_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal and silent, not "loud".',
      'SECKILL_REDIS_URL is missing: it must be a URL such as redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379.',
      'SECKILL_KAFKA_BROKERS must be a comma-separated list of HOST:PORT, not "broker".',
      'SECKILL_MYSQL_URL is missing: it must be a URL such as mysql://USER:PASSWORD@HOST:3306/DATABASE.',
      'SECKILL_TOKEN_KEYS_FILE is missing: it must be the path of the file with the token keys.',
    ]);
  });

  it('never prints a secret', () => {
    const problems = problemsOf({
      ...good,
      SECKILL_REDIS_URL: 'http://:swordfish@redis',
      SECKILL_MYSQL_URL: 'postgres://u:swordfish@db/x',
    });
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain('swordfish');
  });

  it.each(['-1', '65536', '1.5', '0x10', ' '])('refuses %j as a port', (port) => {
    expect(problemsOf({ ...good, SECKILL_PORT: port })).toHaveLength(1);
  });
});
