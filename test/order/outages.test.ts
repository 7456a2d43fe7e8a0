import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLedger, type Ledger } from '../../ledger/ledger.ts';
import { migrate } from '../../ledger/migrate.ts';
import { type OwnMariadb, startMariadb } from '../../tools/servers/mariadb.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { log, present } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Closers, closeAll, newTopic, openLink, openSale, spawnOrder, type Topic } from './bed.ts';

/** Long enough that a connection or a command times out, and the chunk comes again. */
const AWAY_MS = 6_000;
const TIMEOUT_MS = 240_000;

const redis = ownRedis();
const kafka = sharedKafka();
const dir = tempDir();
const servers: Closers = [];
const closers: Closers = [];
let mariadb: OwnMariadb;
let mysqlUrl: string;
let ledger: Ledger;

beforeAll(async () => {
  mariadb = await startMariadb(serverOptions(process.env));
  servers.push(() => mariadb.close());
  mysqlUrl = new URL('/seckill', mariadb.url).href;
  await migrate({ url: mysqlUrl, log });
  ledger = createLedger({ url: mysqlUrl, log });
  servers.push(() => ledger.close());
});
// Not what a test that failed left of them.
beforeEach(async () => {
  for (const server of [mariadb, redis.server]) {
    await server.start();
    await server.kill('SIGCONT');
  }
});
afterEach(() => closeAll(closers));
afterAll(() => closeAll(servers));

const start = (topic: Topic) =>
  spawnOrder({ redisUrl: redis.url, mysqlUrl, brokers: kafka.brokers, topic, dir }, closers);

describe('a server that is away for a while', { timeout: TIMEOUT_MS }, () => {
  test.each([
    ['pauses', () => mariadb.kill('SIGSTOP'), () => mariadb.kill('SIGCONT')],
    ['is killed', () => mariadb.kill('SIGKILL'), () => mariadb.start()],
  ])('a MariaDB that %s costs time, and no order', async (_what, away, back) => {
    const link = await openLink(redis.url, closers);
    const sale = await openSale({ link, ledger, totalUnits: 5_000 });
    const topic = await newTopic(kafka.brokers, closers);
    start(topic);
    await topic.send(await sale.hold(100));
    await topic.passed();

    const behind = await sale.hold(100);
    await away();
    try {
      await topic.send(behind);
      await delay(AWAY_MS);
      expect(await topic.lag()).toBe(100n);
    } finally {
      await back();
    }
    await topic.send(await sale.hold(100));
    await topic.passed();
    expect(await ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 300 });
    expect((await present(ledger, sale.eventId)).soldUnits).toBe(300);
    expect(await sale.snapshot()).toEqual({ availableUnits: 4_700, heldUnits: 0, committedUnits: 300 });
  });

  test('a Redis that pauses is waited for: no offset goes on before it has learned of the orders', async () => {
    const link = await openLink(redis.url, closers);
    const sale = await openSale({ link, ledger, totalUnits: 500 });
    const topic = await newTopic(kafka.brokers, closers, 1);
    start(topic);
    await topic.send(await sale.hold(10));
    await topic.passed();

    const behind = await sale.hold(10);
    await redis.server.kill('SIGSTOP');
    try {
      await topic.send(behind);
      await eventually(async () => {
        expect(await ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 20 });
      });
      await delay(AWAY_MS);
      expect(await topic.lag()).toBe(10n);
    } finally {
      await redis.server.kill('SIGCONT');
    }
    await topic.passed();
    await link.ready();
    expect(await sale.snapshot()).toEqual({ availableUnits: 480, heldUnits: 0, committedUnits: 20 });
  });

  test('a Redis that comes back as another run is left to the operator, and the offsets go on', async () => {
    const link = await openLink(redis.url, closers);
    const sale = await openSale({ link, ledger, totalUnits: 500 });
    const topic = await newTopic(kafka.brokers, closers, 1);
    start(topic);
    const behind = await sale.hold(10);
    await redis.server.kill('SIGKILL');
    await topic.send(behind);
    await eventually(async () => {
      expect(await ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 10 });
    });
    await delay(1_000);
    expect(await topic.lag()).toBe(10n);
    await redis.server.start();
    await topic.passed();
    await link.ready();
    const run = link.current()?.run ?? '';
    expect(run).not.toBe(sale.ref.run);
    const snapshot = await sale.stock.snapshot({ ...sale.ref, run });
    expect(snapshot).toMatchObject({ status: 'ok', committedUnits: 0 });
  });
});
