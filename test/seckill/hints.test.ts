import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HINT_MAX_AGE_MS } from '../../services/domain/limits.ts';
import { HINT_QUIET_BEFORE_END_MS, HINT_REFRESH_MS } from '../../services/seckill/limits.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { type KeyFile, makeKeyFile, type Pod, startPod } from './pod.ts';
import { attempt, openShop, randomBuyer, read, type Sale, type Shop } from './sale.ts';

/** Hints live for a second; the rest is what a busy machine may add. */
const SOON = { deadlineMs: 30 * HINT_MAX_AGE_MS };
const redis = ownRedis();
let keyFile: KeyFile;
let shop: Shop;
let pod: Pod;

beforeAll(async () => {
  keyFile = makeKeyFile();
  shop = await openShop(redis.url, keyFile.keys);
  pod = await startPod({ SECKILL_REDIS_URL: redis.url, SECKILL_TOKEN_KEYS_FILE: keyFile.path });
});
afterAll(async () => {
  pod?.kill('SIGKILL');
  await shop?.close();
  keyFile?.remove();
});

async function scriptCalls(): Promise<number> {
  const stats = (await shop.link.current()?.redis.info('commandstats')) ?? '';
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** A sale whose only unit is taken, and a pod that has been told so. */
async function soldOutSale(
  options: { endsInMs?: number; unitsPerBuyer?: number } = {},
): Promise<Sale & { winner: string }> {
  const sale = await shop.openSale({ totalUnits: 1, ...options });
  await eventually(async () => (await read(pod.url, sale.path)).status === 200);
  const winner = sale.token(randomBuyer());
  expect((await attempt(pod.url, sale, winner)).status).toBe(201);
  const refused = await attempt(pod.url, sale, sale.token());
  expect([refused.status, refused.body.unitsLeft]).toEqual([409, 0]);
  return { ...sale, winner };
}

it('a sold-out sale is answered without Redis, but for one reading of the stock in about a second', async () => {
  const sale = await soldOutSale();
  // Again when a busy machine read too late, and the hint was too old meanwhile.
  await eventually(async () => {
    const before = await scriptCalls();
    const startedMs = Date.now();
    let answers = 0;
    while (Date.now() - startedMs < 2_500 || answers < 50) {
      const { body } = await attempt(pod.url, sale, sale.token());
      expect([body.code, body.unitsLeft]).toEqual(['SECKILL_ERR_SOLD_OUT', 0]);
      answers += 1;
    }
    const calls = (await scriptCalls()) - before;
    expect(calls).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - startedMs) / HINT_REFRESH_MS));
    expect(calls).toBeLessThan(answers / 2);
  });
});

it('a hint that nobody needs any more is let go, and so is its reading', async () => {
  const sale = await soldOutSale();
  // Two readings' time in which none comes: what is still being read would be for ever. Only the clock can show this.
  await eventually(async () => {
    const before = await scriptCalls();
    await delay(2_000);
    expect((await scriptCalls()) - before).toBe(0);
  }, SOON);
  expect((await attempt(pod.url, sale, sale.token())).body.code).toBe('SECKILL_ERR_SOLD_OUT');
});

it('a unit that comes back is sold again soon, to a first attempt', async () => {
  const sale = await soldOutSale();
  const { body } = await attempt(pod.url, sale, sale.winner, { headers: { 'seckill-attempt': '2' } });
  const back = { reservationId: body.reservationId ?? '', units: 1 };
  const found = await shop.stock.lookup(sale.ref, [back.reservationId]);
  const [held] = found.status === 'found' ? found.reservations : [];
  if (held?.state !== 'held') throw new Error('the reservation is there');
  await shop.stock.release(sale.ref, [{ ...back, buyer: held.buyer }]);
  await eventually(async () => (await attempt(pod.url, sale, sale.token())).status === 201, SOON);
});

it('a winner who asks again hears of his unit although the sale is sold out', async () => {
  const sale = await soldOutSale();
  const first = await attempt(pod.url, sale, sale.winner);
  expect(first.body.code).toBe('SECKILL_ERR_SOLD_OUT');
  const again = await attempt(pod.url, sale, sale.winner, { headers: { 'seckill-attempt': '2' } });
  expect([again.status, again.body.state]).toEqual([200, 'held']);
});

it('near the end of the window every attempt goes to Redis', async () => {
  // Again when a busy machine was not done before the end.
  await eventually(async () => {
    const sale = await soldOutSale({ endsInMs: HINT_QUIET_BEFORE_END_MS - 500 });
    const before = await scriptCalls();
    for (let i = 0; i < 5; i += 1) {
      expect((await attempt(pod.url, sale, sale.token())).body.code).toBe('SECKILL_ERR_SOLD_OUT');
    }
    expect((await scriptCalls()) - before).toBeGreaterThanOrEqual(5);
  });
});

it('whoever asks for no more than is left is not refused by a hint', async () => {
  const sale = await shop.openSale({ totalUnits: 3, unitsPerBuyer: 5 });
  await eventually(async () => (await read(pod.url, sale.path)).status === 200);
  expect((await attempt(pod.url, sale, sale.token(), { units: 4 })).body.unitsLeft).toBe(3);
  await eventually(async () => {
    // A reading of the stock for the hint may come in between; not each time.
    const before = await scriptCalls();
    expect((await attempt(pod.url, sale, sale.token(), { units: 5 })).body.unitsLeft).toBe(3);
    expect(await scriptCalls()).toBe(before);
  });
  expect((await attempt(pod.url, sale, sale.token(), { units: 2 })).status).toBe(201);
});

it('a pause and an end are heard of although the sale is sold out', async () => {
  const sale = await soldOutSale();
  const target = { totalUnits: 1, endMs: sale.entry.endMs };
  await shop.stock.adjust(sale.ref, { ...target, revision: 2, paused: true, closed: false });
  const heard = async (code: string) => (await attempt(pod.url, sale, sale.token())).body.code === code;
  await eventually(() => heard('SECKILL_ERR_PAUSED'), SOON);
  await shop.stock.adjust(sale.ref, { ...target, revision: 3, paused: false, closed: true });
  await eventually(() => heard('SECKILL_ERR_CLOSED'), SOON);
});
