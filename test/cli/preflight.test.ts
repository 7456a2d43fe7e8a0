import { Redis } from 'ioredis';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { preflightCommand } from '../../cli/preflight.ts';
import { migrate } from '../../ledger/migrate.ts';
import { ensureTopics } from '../../operator/effects/ensure-topics.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownDatabase } from '../support/mysql.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Outcome, runHere } from './in-process.ts';

const folder = tempDir();
const preflight = (env: Record<string, string>): Promise<Outcome> =>
  runHere(preflightCommand({ environment: () => env }), []);
const redis = ownRedis();
const kafka = sharedKafka();
const database = ownDatabase('test');
const log = pino({ level: 'silent' });

const servers = (): Record<string, string> => ({
  ...{ HOME: folder, KUBECONFIG: '', SECKILL_REDIS_URL: redis.url, SECKILL_MYSQL_URL: database.url },
  SECKILL_KAFKA_BROKERS: kafka.brokers.join(','),
});

it('passes servers that are as a sale needs them, and names what is not', async () => {
  const missing = await preflight(servers());
  expect(missing.code).toBe(3);
  expect(missing.said).toMatch(/^LedgerSchema +FAILED +migrations are missing: 0001-ledger/m);
  expect(missing.said).not.toContain('Kubernetes');

  await migrate({ url: database.url, log });
  const admin = createKafka({ brokers: kafka.brokers, clientId: 'test', log }).admin();
  onTestFinished(() => admin.close());
  await ensureTopics(admin, 1);
  const good = await preflight(servers());
  expect([good.code, good.complained]).toEqual([0, '']);
  const names = good.said
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(/ +/, 2));
  expect(names).toEqual(
    ['Redis', 'RedisPolicy', 'RedisAof', 'RedisReplicas', 'ClockSkew', 'Kafka', 'Topic', 'Ledger', 'LedgerSchema'].map(
      (name) => [name, 'passed'],
    ),
  );
});

it('tells of a Redis that would evict the stock, and of servers that do not let us in', async () => {
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  onTestFinished(async () => {
    await client.config('SET', 'maxmemory-policy', 'noeviction');
  });
  const denied = new URL(database.url);
  denied.username = 'nobody-knows-him';
  const run = await preflight({
    ...servers(),
    SECKILL_KAFKA_BROKERS: '127.0.0.1:1',
    SECKILL_MYSQL_URL: denied.href,
  });
  expect(run.code).toBe(3);
  expect(run.said).toMatch(/^RedisPolicy +FAILED +maxmemory-policy must be noeviction, it is allkeys-lru/m);
  expect(run.said).toMatch(/^Kafka +FAILED +\S/m);
  expect(run.said).toMatch(/^Ledger +FAILED .*Access denied for user 'nobody-knows-him'/m);
});

it('asks for all servers when one is named, and for one when there is nothing to ask', async () => {
  const some = await preflight({ HOME: folder, KUBECONFIG: '', SECKILL_REDIS_URL: redis.url });
  const none = await preflight({ HOME: folder, KUBECONFIG: '' });
  expect([some.code, none.code]).toEqual([2, 2]);
  expect(some.complained).toContain('SECKILL_KAFKA_BROKERS is missing');
  expect(none.complained).toContain('SECKILL_REDIS_URL is missing');
});
