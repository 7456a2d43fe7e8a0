import { randomBytes } from 'node:crypto';
import { copyFileSync, renameSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { type KeyFile, makeKeyFile, type Pod, startPod } from './pod.ts';
import { attempt, openShop, read, type Sale, type Shop } from './sale.ts';

const redis = ownRedis();
let keyFile: KeyFile;
let shop: Shop;
let sale: Sale;
let pod: Pod;

beforeAll(async () => {
  keyFile = makeKeyFile(['k1', 'k0']);
  shop = await openShop(redis.url, keyFile.keys);
  sale = await shop.openSale();
  pod = await startPod({ SECKILL_REDIS_URL: redis.url, SECKILL_TOKEN_KEYS_FILE: keyFile.path });
});
afterAll(async () => {
  pod?.kill('SIGKILL');
  await shop?.close();
  keyFile?.remove();
});

/** How often Redis ran a script since it started: the way of every attempt that gets that far. */
async function scriptCalls(): Promise<number> {
  const stats = (await shop.link.current()?.redis.info('commandstats')) ?? '';
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

const stranger = (): { current: string; keys: Record<string, Buffer> } => ({
  current: 'k1',
  keys: { k1: randomBytes(32), k9: randomBytes(32) },
});

it.each<[string, (sale: Sale) => string | undefined, number, string]>([
  ['no token', () => undefined, 401, 'SECKILL_ERR_TOKEN_MISSING'],
  ['an empty one', () => '', 401, 'SECKILL_ERR_TOKEN_MISSING'],
  ['one that is no token', () => 'not-a-token', 401, 'SECKILL_ERR_TOKEN_MALFORMED'],
  ['one that is cut off', (s) => s.token().slice(0, -4), 401, 'SECKILL_ERR_TOKEN_MALFORMED'],
  ['one signed by a stranger', (s) => s.token(undefined, { keys: stranger() }), 401, 'SECKILL_ERR_TOKEN_FORGED'],
  [
    'one signed with an unknown key',
    (s) => s.token(undefined, { keys: { ...stranger(), current: 'k9' } }),
    401,
    'SECKILL_ERR_TOKEN_KEY_UNKNOWN',
  ],
  [
    'one that is too early',
    (s) => s.token(undefined, { notBeforeMs: Date.now() + 60_000 }),
    401,
    'SECKILL_ERR_TOKEN_TOO_EARLY',
  ],
  [
    'one that has expired',
    (s) => s.token(undefined, { expiresMs: Date.now() - 60_000 }),
    401,
    'SECKILL_ERR_TOKEN_EXPIRED',
  ],
  [
    'one for another event',
    (s) => s.token(undefined, { eventId: 'shop.other.1' }),
    403,
    'SECKILL_ERR_TOKEN_OTHER_EVENT',
  ],
  [
    'one for another edition',
    (s) => s.token(undefined, { eventId: s.entry.eventId.replace(/1$/, '2') }),
    403,
    'SECKILL_ERR_TOKEN_OTHER_EVENT',
  ],
])('%s has its own code, and never reaches Redis', async (_what, tokenOf, status, code) => {
  const before = await scriptCalls();
  const answer = await attempt(pod.url, sale, tokenOf(sale));
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(await scriptCalls()).toBe(before);
});

it('the clocks of issuer and pod may differ by some seconds', async () => {
  const early = sale.token(undefined, { notBeforeMs: Date.now() + 3_000 });
  expect((await attempt(pod.url, sale, early)).status).toBe(201);
  const late = sale.token(undefined, { expiresMs: Date.now() - 1_000 });
  expect((await attempt(pod.url, sale, late)).status).toBe(201);
});

it('a token of the former key is good, and a key that left the file is not, without a restart', async () => {
  const former = { current: 'k0', keys: keyFile.keys.keys };
  expect((await attempt(pod.url, sale, sale.token(undefined, { keys: former }))).status).toBe(201);
  const next = makeKeyFile(['k2']);
  copyFileSync(next.path, `${keyFile.path}.new`);
  renameSync(`${keyFile.path}.new`, keyFile.path);
  await eventually(
    async () => (await attempt(pod.url, sale, sale.token(undefined, { keys: next.keys }))).status === 201,
  );
  const old = await attempt(pod.url, sale, sale.token());
  expect(old.body.code).toBe('SECKILL_ERR_TOKEN_KEY_UNKNOWN');
  expect((await read(pod.url, sale.path)).status).toBe(200);
  next.remove();
});
