import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import type { OwnServer } from '../../tools/servers/own-server.ts';
import { eventually } from '../support/eventually.ts';
import { expectNothingOversold, expectSoldOut } from './harness/judge.ts';
import { operators } from './harness/operators.ts';
import { applySale, type Sale } from './harness/sale.ts';
import { stand, withPlatform } from './harness/stand.ts';

/** How long a server is away: longer than any of the platform's own patience with one answer, but for Kafka's. */
const OUTAGE_MS = 10_000;
const HANG_MS = 3_000;
/** Far more than it takes; a machine may be busy. */
const timeout = 240_000;

const platform = stand({ operators: 0, mariadb: 'own' });
const leaders = operators(platform);

/** Neither a server nor a role as a test that failed may have left it. */
beforeEach(async () => {
  for (const server of [platform.redis, platform.kafka, platform.mariadb]) {
    await server.start();
    await server.kill('SIGCONT');
  }
  for (const role of ['relay', 'order'] as const) platform.signal(role, 'SIGCONT');
});

/** An open sale of so many units; its operator lives for the test. */
async function openSale(units = 2_000): Promise<Sale> {
  await leaders.start();
  const sale = applySale(platform, { units });
  await sale.open();
  return sale;
}

async function paused(server: OwnServer, forMs: number): Promise<void> {
  await server.kill('SIGSTOP');
  await delay(forMs);
  await server.kill('SIGCONT');
}

async function killed(server: OwnServer, forMs: number): Promise<void> {
  await server.kill('SIGKILL');
  await delay(forMs);
  await server.start();
}

async function withRedis(work: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(platform.redis.url);
  try {
    await work(redis);
  } finally {
    redis.disconnect();
  }
}

test.for([
  { server: 'kafka', how: 'is paused', fault: paused },
  { server: 'kafka', how: 'is killed with -9', fault: killed },
  { server: 'mariadb', how: 'is paused', fault: paused },
  { server: 'mariadb', how: 'is killed with -9', fault: killed },
] as const)('$server $how for 10 s: the sale goes on and is exact', { timeout }, async ({ server, fault }) => {
  const sale = await openSale();
  const plays = await sale.playDuring(() => fault(platform[server], OUTAGE_MS));
  const judgement = await sale.finish([...plays, await sale.sellOut()]);
  expectSoldOut(judgement);
  // Buyers know Redis only: for them nothing has happened.
  expect(judgement.answers).toMatchObject({ refused: 0, unknown: 0, failed: 0 });
  expect(judgement.counts.rebuilds).toBe(0);
});

test('Redis hangs for some seconds: whoever heard nothing asks again, and hears what is', { timeout }, async () => {
  const sale = await openSale();
  const plays = await sale.playDuring(() => paused(platform.redis, HANG_MS));
  expectSoldOut(await sale.finish([...plays, await sale.sellOut()]));
});

test('Redis with appendfsync always is killed with -9: it is rebuilt, and nothing is lost', { timeout }, async () => {
  await withRedis((redis) => redis.config('SET', 'appendfsync', 'always'));
  const sale = await openSale(150);
  // What was held is still on its way to the ledger: a rebuild that did not wait for it would sell it again.
  platform.signal('order', 'SIGSTOP');
  const first = await sale.play({ buyers: 100, overMs: 500 });
  expect((await first.result).answers.held).toBe(100);
  await killed(platform.redis, 0);
  await sale.untilGeneration(2);
  const second = await sale.play({ buyers: 100, overMs: 500 });
  await delay(HANG_MS);
  platform.signal('order', 'SIGCONT');
  expect((await second.result).answers).toMatchObject({ held: 50, soldOut: 50 });
  const judgement = await sale.finish([first, second]);
  expectSoldOut(judgement, 150);
  expect(judgement.counts.rebuilds).toBe(1);
});

test('Redis comes back with an older append-only file: nothing is oversold', { timeout }, async () => {
  const data = join(platform.redis.dir, 'appendonlydir');
  const older = mkdtempSync(join(platform.dir, 'older-'));
  const sale = await openSale(400);
  const crowd = await sale.play({ buyers: 800, overMs: 4_000 });
  await crowd.untilHeld(50);
  cpSync(data, older, { recursive: true });
  await crowd.untilHeld(150);
  await platform.redis.kill('SIGKILL');
  rmSync(data, { recursive: true });
  cpSync(older, data, { recursive: true });
  await platform.redis.start();
  await crowd.result;
  const judgement = await sale.finish([crowd]);
  expectNothingOversold(judgement);
  expect(judgement.liveUnits).toBe(400);
  expect(judgement.counts.rebuilds).toBe(1);
});

test('Redis is emptied in the middle of the sale: nothing is oversold', { timeout }, async () => {
  const sale = await openSale(400);
  const crowd = await sale.play({ buyers: 800, overMs: 4_000 });
  await crowd.untilHeld(150);
  await withRedis((redis) => redis.flushall());
  await crowd.result;
  const judgement = await sale.finish([crowd]);
  expectNothingOversold(judgement);
  expect(judgement.liveUnits).toBe(400);
  expect(judgement.counts.rebuilds).toBe(1);
  await withPlatform(platform, async ({ ledger }) => {
    expect((await ledger.events.get(sale.eventId))?.generation).toBe(2);
  });
});

test('Redis is emptied while Kafka is away: what relays have in hand comes late, and nothing is oversold', {
  timeout,
}, async () => {
  const sale = await openSale(150);
  await platform.kafka.kill('SIGKILL');
  const people = { buyers: 100, overMs: 300, prefix: sale.eventId };
  const first = await sale.play(people);
  expect((await first.result).answers.held).toBe(100);
  await withPlatform(platform, ({ journal }) =>
    eventually(async () => expect((await journal.progress(sale.eventId, 0)).pending).toBeGreaterThan(0)),
  );
  // They hang until all is sold again.
  platform.signal('relay', 'SIGSTOP');
  await withRedis((redis) => redis.flushall());
  await platform.kafka.start();
  await sale.untilGeneration(2);
  await sale.untilFollowed();
  // The same people come again, with other tokens, and as many others.
  const plays = [first, await sale.play({ ...people, seed: 8 }), await sale.play({ buyers: 100, overMs: 300 })];
  await Promise.all(plays.map(({ result }) => result));
  platform.signal('relay', 'SIGCONT');
  const judgement = await sale.finish(plays);
  expectNothingOversold(judgement);
  // Redis had no unit left for the late ones, or the ledger had none.
  expect(judgement.counts.voided).toBeGreaterThan(0);
});
