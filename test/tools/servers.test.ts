import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { describeKafka } from '../../tools/servers/kafka.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownDatabase } from '../support/mysql.ts';
import { ownRedis } from '../support/redis.ts';

const redis = ownRedis();
const kafka = sharedKafka();
const database = ownDatabase();

test('every test file has a Redis, a Kafka and an empty database', async () => {
  const client = new Redis(redis.url);
  expect(await client.ping()).toBe('PONG');
  client.disconnect();
  expect((await describeKafka(kafka.brokers)).brokers).toBe(1);
  const connection = await createConnection(database.url);
  const [rows] = await connection.query('SHOW TABLES');
  expect(rows).toEqual([]);
  await connection.end();
});
