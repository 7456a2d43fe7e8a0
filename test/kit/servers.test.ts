import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kafkaServers, mysqlServer, redisServer } from '../../services/kit/servers.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();
const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const [caFile, wrongFile, missingFile] = ['ca.crt', 'wrong.crt', 'missing.crt'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
writeFileSync(caFile, pem);
writeFileSync(wrongFile, 'certificate');
const kafka = { SECKILL_KAFKA_BROKERS: 'a:1,b:2', SECKILL_KAFKA_TLS: false };
const sasl = {
  SECKILL_KAFKA_SASL_MECHANISM: 'scram-sha-256',
  SECKILL_KAFKA_SASL_USERNAME: 'seckill',
  SECKILL_KAFKA_SASL_PASSWORD: 'secret',
} as const;

it('makes what each server needs of its variables', () => {
  expect(redisServer({ SECKILL_REDIS_URL: 'redis://r:1' })).toEqual({ url: 'redis://r:1' });
  expect(redisServer({ SECKILL_REDIS_URL: 'rediss://r:1', SECKILL_REDIS_CA_FILE: caFile })).toEqual({
    url: 'rediss://r:1',
    ca: pem,
  });
  expect(mysqlServer({ SECKILL_MYSQL_URL: 'mysql://m/d', SECKILL_MYSQL_CA_FILE: caFile })).toEqual({
    url: 'mysql://m/d',
    ca: pem,
  });
  expect(kafkaServers(kafka)).toEqual({ brokers: ['a:1', 'b:2'] });
  expect(kafkaServers({ ...kafka, SECKILL_KAFKA_TLS: true })).toEqual({ brokers: ['a:1', 'b:2'], tls: {} });
  expect(kafkaServers({ ...kafka, ...sasl, SECKILL_KAFKA_TLS: true, SECKILL_KAFKA_CA_FILE: caFile })).toEqual({
    brokers: ['a:1', 'b:2'],
    tls: { ca: pem },
    sasl: { mechanism: 'scram-sha-256', username: 'seckill', password: 'secret' },
  });
});

it.each([
  [
    'SECKILL_REDIS_URL: a % in it must be written as %25.',
    () => redisServer({ SECKILL_REDIS_URL: 'redis://:100%sure@r:1' }),
  ],
  [
    'SECKILL_REDIS_CA_FILE is set, so SECKILL_REDIS_URL must begin with rediss:// (TLS).',
    () => redisServer({ SECKILL_REDIS_URL: 'redis://r:1', SECKILL_REDIS_CA_FILE: caFile }),
  ],
  [
    `SECKILL_MYSQL_CA_FILE: ${missingFile} cannot be read.`,
    () => mysqlServer({ SECKILL_MYSQL_URL: 'mysql://m/d', SECKILL_MYSQL_CA_FILE: missingFile }),
  ],
  [
    `SECKILL_MYSQL_CA_FILE: ${wrongFile} holds no certificate in PEM.`,
    () => mysqlServer({ SECKILL_MYSQL_URL: 'mysql://m/d', SECKILL_MYSQL_CA_FILE: wrongFile }),
  ],
  [
    'SECKILL_KAFKA_CA_FILE is set, so SECKILL_KAFKA_TLS must be true.',
    () => kafkaServers({ ...kafka, SECKILL_KAFKA_CA_FILE: caFile }),
  ],
  [
    'SECKILL_KAFKA_SASL_MECHANISM, SECKILL_KAFKA_SASL_USERNAME and SECKILL_KAFKA_SASL_PASSWORD must be set together, or none of them.',
    () => kafkaServers({ ...kafka, SECKILL_KAFKA_SASL_USERNAME: 'seckill' }),
  ],
])('refuses what would not do what it says: %s', (sentence, make) => {
  expect(make).toThrow(sentence);
});
