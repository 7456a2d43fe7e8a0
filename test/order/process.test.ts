import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { reservationsKey } from '../../lua/keys.ts';
import { encodeHold, type HoldMessage } from '../../services/domain/hold-message.ts';
import { DEAD_LETTER_HEADERS } from '../../services/kit/kafka/topics.ts';
import { ledgerBed, present } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Closers, closeAll, newTopic, openLink, openSale, spawnOrder, type Topic } from './bed.ts';

const bed = ledgerBed();
const redis = ownRedis();
const kafka = sharedKafka();
const dir = tempDir();
const links: Closers = [];
const closers: Closers = [];
let link: RedisLink;

beforeAll(async () => {
  link = await openLink(redis.url, links);
});
afterEach(() => closeAll(closers));
afterAll(() => closeAll(links));

const start = (topic: Topic) =>
  spawnOrder({ redisUrl: redis.url, mysqlUrl: bed.url, brokers: kafka.brokers, topic, dir }, closers);

describe('the order process', () => {
  test('makes orders of holds, commits them in Redis, and passes the end; a repeated message changes nothing', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 3_000 });
    const topic = await newTopic(kafka.brokers, closers);
    const messages: HoldMessage[] = [];
    for (let batch = 0; batch < 20; batch += 1) messages.push(...(await sale.hold(100)));
    await topic.send(messages);
    const order = start(topic);
    await topic.passed();
    await topic.send(messages.slice(0, 300));
    await topic.passed();
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 2_000 });
    expect((await present(bed.ledger, sale.eventId)).soldUnits).toBe(2_000);
    expect(await sale.snapshot()).toEqual({ availableUnits: 1_000, heldUnits: 0, committedUnits: 2_000 });

    const url = await order.url();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/seckill_order_rows_total\{[^}]*outcome="new"[^}]*\} 2000/);
    order.child.kill('SIGTERM');
    expect(await order.exited).toEqual({ code: 0, signal: null });
  });

  test('takes what cannot be an order out of the way, with its reason, and loses nothing beside it', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const other = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const topic = await newTopic(kafka.brokers, closers, 1);
    const [first, second] = await sale.hold(2);
    if (first === undefined || second === undefined) throw new Error('nothing was held');
    await topic.send([
      first,
      { key: 'a', value: 'not json' },
      { key: 'b', value: JSON.stringify({ ...sale.unheld(), v: 2 }) },
      { key: 'c', value: encodeHold({ ...sale.unheld(), generation: 1e300 }) },
      { ...sale.unheld(), eventId: 'shop.nobody.1' },
      { ...other.unheld(), reservationId: first.reservationId },
      { ...first, buyer: 'somebody-else' },
      second,
    ]);
    start(topic);
    await topic.passed();
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 2 });
    expect(await sale.snapshot()).toEqual({ availableUnits: 8, heldUnits: 0, committedUnits: 2 });
    await eventually(() => expect(topic.deadLetters()).toHaveLength(6));
    const letters = new Map(
      topic.deadLetters().map(({ headers, value }) => {
        return [headers[DEAD_LETTER_HEADERS.source], [headers[DEAD_LETTER_HEADERS.reason], value?.toString()]];
      }),
    );
    const reasonAt = (offset: number) => letters.get(`${topic.holds}/0/${offset}`)?.[0];
    expect(letters.get(`${topic.holds}/0/1`)).toEqual(['the value is not JSON', 'not json']);
    expect(reasonAt(2)).toMatch(/^\/v /);
    expect(reasonAt(3)).toMatch(/^\/generation /);
    expect(reasonAt(4)).toBe('the ledger has no such event');
    expect(reasonAt(5)).toBe('the order of this id belongs to another event');
    expect(reasonAt(6)).toBe('the order of this id has another buyer or other units');
  });

  test('goes on with the others when the keys of one event are broken', async () => {
    const broken = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const good = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const [lost, kept] = [await broken.hold(2), await good.hold(2)];
    await link.current()?.redis.set(reservationsKey(broken.eventId, 0), 'not a hash');
    const topic = await newTopic(kafka.brokers, closers, 1);
    await topic.send([...lost, ...kept]);
    start(topic);
    await topic.passed();
    expect(await bed.ledger.orders.countByState(broken.eventId)).toEqual({ PENDING_PAYMENT: 2 });
    expect(await good.snapshot()).toEqual({ availableUnits: 8, heldUnits: 0, committedUnits: 2 });
  });

  test('leaves a recovering event alone, and goes on', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const messages = await sale.hold(3);
    await bed.ledger.events.beginRecovery(sale.eventId, 1);
    const topic = await newTopic(kafka.brokers, closers, 1);
    await topic.send(messages);
    start(topic);
    await topic.passed();
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 3 });
    expect(await sale.snapshot()).toEqual({ availableUnits: 7, heldUnits: 3, committedUnits: 0 });
  });

  test('commits no offset before the transaction is committed: killed in between, it loses nothing', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 10 });
    const topic = await newTopic(kafka.brokers, closers, 1);
    const blocker = await createConnection(bed.url);
    closers.push(() => blocker.end());
    await blocker.query('START TRANSACTION');
    await blocker.query('SELECT * FROM events WHERE event_id = ? FOR UPDATE', [sale.eventId]);
    await topic.send(await sale.hold(4));
    const order = start(topic);
    // InnoDB does not renew this table for whoever asks again within a tenth of a second.
    await eventually(
      async () => {
        const waits = await bed.sql(`SELECT 1 FROM information_schema.innodb_trx t
        JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
        WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'`);
        return waits.length > 0;
      },
      { intervalMs: 200 },
    );
    // A consumer that commits offsets first has had a second for it.
    await blocker.query('SELECT SLEEP(1)');
    expect(await topic.lag()).toBe(4n);
    order.child.kill('SIGKILL');
    await order.exited;
    await blocker.query('ROLLBACK');
    start(topic);
    await topic.passed();
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 4 });
    expect(await sale.snapshot()).toEqual({ availableUnits: 6, heldUnits: 0, committedUnits: 4 });
  });

  test('says what is wrong with its configuration, and exits with 2', async () => {
    const topic = await newTopic(kafka.brokers, closers, 1);
    const order = spawnOrder({ redisUrl: redis.url, mysqlUrl: 'postgres://x', brokers: ['x'], topic, dir }, closers);
    expect(await order.exited).toEqual({ code: 2, signal: null });
  });
});
