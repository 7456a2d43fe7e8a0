import { createSecretKey, randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createHealth } from '../../services/kit/health.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createApp } from '../../services/seckill/app.ts';

const unused = (): never => {
  throw new Error('describing the API asks for nothing');
};

/** After a change of the API: run this file with `-u`, and read what changed. */
it('docs/openapi.json is what the routes say', async () => {
  const app = await createApp({
    stock: { reserve: unused, lookup: unused, snapshot: unused },
    registry: { known: () => false, find: () => undefined, redisNowMs: () => 0, ageMs: () => 0 },
    tokens: { current: () => ({ current: 'k1', keys: { k1: createSecretKey(randomBytes(32)) } }) },
    clock: { nowMs: () => 0 },
    log: pino({ level: 'silent' }),
    metrics: createMetrics({ role: 'seckill' }),
    health: createHealth(),
    faults: { at() {} },
  });
  const response = await app.inject('/openapi.json');
  const document = response.json() as { paths: Record<string, object> };
  expect(Object.keys(document.paths).sort()).toEqual([
    '/v1/events/{namespace}/{name}',
    '/v1/events/{namespace}/{name}/reservations',
    '/v1/events/{namespace}/{name}/reservations/{id}',
  ]);
  await expect(`${JSON.stringify(document, undefined, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json');
  await app.close();
});
