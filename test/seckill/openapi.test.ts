import { createSecretKey, randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createHealth } from '../../services/kit/health.ts';
import type { Http } from '../../services/kit/http.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createApp as createOrderApp } from '../../services/order/app.ts';
import { createApp as createSeckillApp } from '../../services/seckill/app.ts';

const unused = (): never => {
  throw new Error('describing the API asks for nothing');
};

const deps = (role: string) => ({
  tokens: { current: () => ({ current: 'k1', keys: { k1: createSecretKey(randomBytes(32)) } }) },
  clock: { nowMs: () => 0, monotonicMs: () => 0 },
  log: pino({ level: 'silent' }),
  metrics: createMetrics({ role }),
  health: createHealth(),
});

interface OpenApi {
  openapi: string;
  info: object;
  components: { schemas: object; securitySchemes: object };
  paths: Record<string, object>;
}

async function documentOf(app: Http): Promise<OpenApi> {
  const document = (await app.inject('/openapi.json')).json() as OpenApi;
  await app.close();
  return document;
}

/** Each process serves its own part; docs/openapi.json is the whole. After a change: run this file with `-u` behind it. */
it('docs/openapi.json is what the routes say', async () => {
  const seckill = await documentOf(
    await createSeckillApp({
      ...deps('seckill'),
      stock: { reserve: unused, lookup: unused, snapshot: unused },
      registry: { known: () => false, find: () => undefined, keys: () => [], redisNowMs: () => 0, ageMs: () => 0 },
      faults: { at() {} },
    }),
  );
  const order = await documentOf(await createOrderApp({ ...deps('order'), orders: { get: unused } }));
  const whole = {
    ...seckill,
    components: {
      securitySchemes: { ...seckill.components.securitySchemes, ...order.components.securitySchemes },
      schemas: { ...seckill.components.schemas, ...order.components.schemas },
    },
    paths: { ...seckill.paths, ...order.paths },
  };
  expect(Object.keys(whole.paths).sort()).toEqual([
    '/v1/events/{namespace}/{name}',
    '/v1/events/{namespace}/{name}/reservations',
    '/v1/events/{namespace}/{name}/reservations/{id}',
    '/v1/orders/{id}',
  ]);
  await expect(`${JSON.stringify(whole, undefined, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json');
});
