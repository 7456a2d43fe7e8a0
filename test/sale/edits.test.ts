import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { stockKeys } from '../../lua/keys.ts';
import { eventually } from '../support/eventually.ts';
import { expectExact, expectNothingOversold, expectSoldOut } from './harness/judge.ts';
import { applySale } from './harness/sale.ts';
import { stand } from './harness/stand.ts';

/** Far more than it takes; a machine may be busy. */
const timeout = 240_000;
const PATIENT = { deadlineMs: 120_000, intervalMs: 50 };
/** The first end of a sale: a busy machine must have opened it before. */
const FIRST_END_MS = 90_000;

const platform = stand({ operators: 2 });

async function withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(platform.redis.url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

test('a manifest is edited while its sale runs: each buyer is told what held when he came', { timeout }, async () => {
  const nowMs = Date.now();
  const sale = applySale(platform, { units: 60, endMs: nowMs + FIRST_END_MS });
  await sale.open();
  sale.change({ endMs: nowMs + 3_600_000 });
  const early = await sale.play({ buyers: 40, overMs: 300 });
  expect((await early.result).answers).toMatchObject({ held: 40 });

  sale.change({ paused: true });
  await sale.until('paused', ({ phase }) => phase === 'Paused');
  const held = await sale.play({ buyers: 20, overMs: 200 });
  expect((await held.result).reasons).toEqual({ SECKILL_ERR_PAUSED: 20 });

  // It grows while it is paused; a shrink takes back what nobody has taken, and is refused where it asks for more.
  sale.change({ units: 200 });
  await sale.untilTotal(200);
  sale.change({ paused: false });
  await sale.until('open', ({ phase }) => phase === 'Open');
  const grown = await sale.play({ buyers: 50, overMs: 300 });
  expect((await grown.result).answers).toMatchObject({ held: 50 });
  sale.change({ units: 10 });
  await eventually(
    () => expect(platform.told.join('\n')).toMatch(/must be at least \d+, the units sold already, got 10/),
    PATIENT,
  );
  sale.change({ units: 90 });
  await sale.untilTotal(90);
  sale.change({ units: 130 });
  await sale.untilTotal(130);

  // Past its first end it still sells.
  await eventually(() => Date.now() > nowMs + FIRST_END_MS, PATIENT);
  const late = await sale.play({ buyers: 60, overMs: 300 });
  expect((await late.result).answers).toMatchObject({ held: 40, soldOut: 20 });

  // Closed is for good, whatever the manifest says later; more units are no use to anybody then.
  sale.change({ units: 150, closed: true });
  await sale.until('closing', ({ phase }) => phase === 'Closing' || phase === 'Settled');
  sale.change({ closed: false });
  await sale.until('settled', ({ phase }) => phase === 'Settled');
  const judgement = await sale.finish([early, held, grown, late]);
  expectExact(judgement);
  expect(judgement.liveUnits).toBe(130);
});

test('two sales side by side do not know of each other, even when one of them is lost and rebuilt', {
  timeout,
}, async () => {
  const [well, ill] = [applySale(platform, { units: 150 }), applySale(platform, { units: 150 })];
  await Promise.all([well.open(), ill.open()]);
  const crowds = [
    await well.play({ buyers: 300, overMs: 4_000 }),
    await ill.play({ buyers: 300, overMs: 4_000 }),
  ] as const;
  await crowds[1].untilHeld(30);
  await withRedis((redis) => redis.del(...stockKeys(ill.eventId, 0)));
  const [answersOfWell] = await Promise.all([crowds[0].result, crowds[1].result]);
  expect(answersOfWell.answers).toMatchObject({ held: 150, soldOut: 150 });
  const [ofWell, ofIll] = await Promise.all([well.finish([crowds[0]]), ill.finish([crowds[1]])]);
  expectSoldOut(ofWell, 150);
  expect(ofWell.counts.rebuilds).toBe(0);
  expectNothingOversold(ofIll);
  expect(ofIll).toMatchObject({ liveUnits: 150, counts: { rebuilds: 1 } });
});

test('a manifest that is broken while its sale runs changes nothing but what people are told', {
  timeout,
}, async () => {
  const sale = applySale(platform, { units: 100 });
  await sale.open();
  const crowd = await sale.play({ buyers: 200, overMs: 2_000 });
  await crowd.untilHeld(10);
  const broken =
    'apiVersion: seckill.io/v1alpha1\nkind: SeckillEvent\nmetadata: { name: "No Label" }\nspec: { stock: 7 }\n';
  writeFileSync(sale.manifest, broken);
  const other = join(platform.dir, 'manifests', 'other.yaml');
  writeFileSync(other, 'this is: [no manifest');
  platform.release.applyManifest(other);
  await eventually(() => {
    const told = platform.told.join('\n');
    // All at once: the name, and what is missing of the spec.
    for (const words of [sale.manifest, 'metadata.name', 'spec.stock', 'spec.schedule', other]) {
      expect(told).toContain(words);
    }
  }, PATIENT);
  expect((await crowd.result).answers).toMatchObject({ held: 100, soldOut: 100 });
  expectSoldOut(await sale.finish([crowd]), 100);
});

test('a Redis that is not fit for a sale keeps it from being armed, by name, until it is repaired', {
  timeout,
}, async () => {
  await withRedis(async (redis) => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.config('SET', 'appendonly', 'no');
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    await redis.config('SET', 'maxmemory', String(used + 1_048_576));
    const sale = applySale(platform, { units: 10_000 });
    const failing = async (): Promise<string[]> => {
      const checks = (await sale.status())?.checks ?? [];
      return checks.filter(({ passed, blocking }) => !passed && blocking).map(({ name }) => name);
    };
    await eventually(async () => expect(await failing()).toEqual(['RedisPolicy', 'RedisAof', 'RedisMemory']), PATIENT);
    expect(await sale.status()).toMatchObject({ phase: 'Preheating' });
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await eventually(async () => expect(await failing()).toEqual(['RedisAof', 'RedisMemory']), PATIENT);
    await redis.config('SET', 'appendonly', 'yes');
    await eventually(async () => expect(await failing()).toEqual(['RedisMemory']), PATIENT);
    const refused = await sale.play({ buyers: 1, overMs: 100 });
    await redis.config('SET', 'maxmemory', '0');
    await sale.open();
    await refused.result;
    expectSoldOut(await sale.finish([refused, await sale.sellOut()]));
  });
});

test('a Redis that is full does not take the stock, and people are told why', { timeout }, async () => {
  await withRedis(async (redis) => {
    await redis.config('SET', 'maxmemory', '1');
    const sale = applySale(platform, { units: 20 });
    await sale.until('hindered', ({ conditions }) => conditions.some(({ message }) => message.includes('oom')));
    await redis.config('SET', 'maxmemory', '0');
    await sale.open();
    const crowd = await sale.play({ buyers: 40, overMs: 200 });
    expectSoldOut(await sale.finish([crowd]), 20);
  });
});
