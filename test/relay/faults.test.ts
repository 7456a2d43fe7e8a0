import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { journalKey, REGISTRY_KEY } from '../../lua/keys.ts';
import { FAULT_POINTS } from '../../services/kit/fault-points.ts';
import { BATCHES_IN_HAND_MAX, READ_MAX_ENTRIES, STOP_PATIENCE_MS } from '../../services/relay/limits.ts';
import { type OwnKafka, startKafka } from '../../tools/servers/kafka.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Closers, newTopics, openLink, openSale, spawnRelay, type Topics, watchTopic } from './bed.ts';

const redis = ownRedis({ config: { appendfsync: 'always' } });
const folder = tempDir();
const closers: Closers = [];
let broker: OwnKafka;
let link: RedisLink;
let topics: Topics;

beforeAll(async () => {
  // A broker that the controller gives up for a second's silence loses its partitions: a send then comes twice.
  broker = await startKafka(serverOptions(process.env), { config: { 'broker.session.timeout.ms': '9000' } });
});
beforeEach(async () => {
  // A test that failed may have left it stopped.
  await broker.start();
  link = openLink(redis.url, closers);
  await link.ready();
  await client().del(REGISTRY_KEY);
  topics = await newTopics(broker.brokers);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => broker?.close());

const client = () => {
  const connection = link.current();
  if (connection === undefined) throw new Error('the test has lost its Redis');
  return connection.redis;
};
const relay = (more: Record<string, string> = {}) =>
  spawnRelay({ redisUrl: redis.url, brokers: broker.brokers, topics, more }, closers);

async function sentBy(process: ReturnType<typeof relay>): Promise<number> {
  const text = await (await fetch(`${await process.url()}/metrics`)).text();
  return Number(/seckill_relay_messages_total\{[^}]*kind="sent"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

const missing = (arrived: Map<string, number>, attempts: readonly { reservationId: string }[]) =>
  attempts.filter(({ reservationId }) => !arrived.has(reservationId));

describe('a relay that is killed', () => {
  const points = FAULT_POINTS.filter((point) => point.startsWith('relay.'));

  test.each(points)('at %s loses nothing: another one brings the rest', async (point) => {
    const sale = await openSale(link);
    await sale.hold(1_500);
    await client().xadd(journalKey(sale.eventId, 0), '*', 'held', 'broken');
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    const marker = join(folder, `${point}.marker`);
    const first = relay({
      SECKILL_FAULT: point,
      SECKILL_FAULT_MARKER: marker,
      SECKILL_HOLD_RESEND_AFTER_MS: point === 'relay.after-resend' ? '300' : '30000',
    });
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await sale.hold(100);
    relay();
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });

  test('and started again under its name goes on at once with what it had in hand', async () => {
    const sale = await openSale(link);
    await sale.hold(1_500);
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    const same = { SECKILL_INSTANCE: 'relay-1', SECKILL_RELAY_CLAIM_IDLE_MS: '600000' };
    const first = relay({ ...same, SECKILL_FAULT: 'relay.after-read@2' });
    await first.exited;
    expect((await sale.progress()).pending).toBeGreaterThan(0);
    relay(same);
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });

  test('while Kafka is away loses nothing of what it had read, for it has acknowledged nothing', async () => {
    const sale = await openSale(link);
    await broker.stop();
    const first = relay();
    await sale.hold(300);
    await eventually(async () => expect((await sale.progress()).pending).toBe(300));
    // Long enough to acknowledge them, if it did.
    const readAtMs = performance.now();
    await eventually(() => performance.now() - readAtMs > 1_000, { intervalMs: 100 });
    expect((await sale.progress()).pending).toBe(300);
    first.child.kill('SIGKILL');
    await first.exited;
    await broker.start();
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    relay();
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });
});

describe('a relay that is told to stop', () => {
  test('while Kafka is away and its hands are full gives up after its patience, and not after a send', async () => {
    const sale = await openSale(link);
    await broker.stop();
    await sale.hold((BATCHES_IN_HAND_MAX + 2) * READ_MAX_ENTRIES);
    const first = relay();
    await eventually(async () => {
      expect((await sale.progress()).pending).toBe((BATCHES_IN_HAND_MAX + 1) * READ_MAX_ENTRIES);
    });
    const beganMs = performance.now();
    first.child.kill('SIGTERM');
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - beganMs).toBeLessThan(2 * STOP_PATIENCE_MS);
    await broker.start();
  });

  test('while Kafka is away stops in time, and leaves what it could not bring to the next one', async () => {
    const sale = await openSale(link);
    await broker.stop();
    const first = relay();
    await sale.hold(200);
    await eventually(async () => expect((await sale.progress()).pending).toBe(200));
    first.child.kill('SIGTERM');
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect((await sale.progress()).pending).toBe(200);
    await broker.start();
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    relay();
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });
});

describe('two relays', () => {
  test('share a journal: each hold comes once', async () => {
    const sale = await openSale(link);
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    // On a busy machine a batch may be in hand for long: nobody takes it over from a relay that lives.
    const patient = { SECKILL_RELAY_CLAIM_IDLE_MS: '600000' };
    const [one, two] = [relay(patient), relay(patient)];
    await Promise.all([one.url(), two.url()]);
    await eventually(async () => {
      await sale.hold(100);
      return (await sentBy(one)) > 0 && (await sentBy(two)) > 0;
    });
    await sale.drained();
    await eventually(() => arrivals.messages.length >= sale.attempts.length);
    expect([...arrivals.times().values()].filter((times) => times !== 1)).toEqual([]);
  });

  test('of which one is killed with a batch in hand: the other takes it over', async () => {
    const sale = await openSale(link);
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    const [one, two] = [relay({ SECKILL_FAULT: 'relay.after-read@5' }), relay()];
    await Promise.all([one.url(), two.url()]);
    let died = false;
    void one.exited.then(() => {
      died = true;
    });
    await eventually(
      async () => {
        await sale.hold(20);
        return died;
      },
      { intervalMs: 30 },
    );
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });
});

describe('a server that goes away', () => {
  test('Kafka for ten seconds: nothing is acknowledged meanwhile, and everything arrives afterwards', async () => {
    const sale = await openSale(link);
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    relay();
    await sale.hold(100);
    await sale.drained();
    await broker.stop();
    const awaySinceMs = performance.now();
    await sale.hold(700);
    await eventually(() => performance.now() - awaySinceMs > 10_000, { intervalMs: 200 });
    // It reads a few batches and waits with them: how many holds these are depends on how fast the holds came.
    const { pending, unreadEntries, drained } = await sale.progress();
    expect({ pendingOrUnread: pending + unreadEntries, drained }).toEqual({ pendingOrUnread: 700, drained: false });
    await broker.start();
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
  });

  test('Redis, killed with its AOF and started again: the relay goes on with what survived', async () => {
    const sale = await openSale(link);
    const arrivals = await watchTopic(broker.brokers, topics.holds, closers);
    const { exited, child } = relay();
    await sale.hold(3_000);
    await eventually(() => arrivals.messages.length > 200);
    await redis.server.kill('SIGKILL');
    await redis.server.start();
    await link.ready();
    await sale.drained();
    await eventually(() => expect(missing(arrivals.times(), sale.attempts)).toEqual([]));
    child.kill('SIGTERM');
    expect(await exited).toEqual({ code: 0, signal: null });
  });

  test('Redis: as long as it is away, from the beginning or later, no lag is told rather than an old one', async () => {
    const lagOf = async (process: ReturnType<typeof relay>): Promise<string | undefined> => {
      const text = await (await fetch(`${await process.url()}/metrics`)).text();
      return /^seckill_relay_lag_messages\{.*\} (\d+)$/m.exec(text)?.[1];
    };
    await redis.server.kill('SIGKILL');
    const process = relay();
    expect(await lagOf(process)).toBeUndefined();
    await redis.server.start();
    await link.ready();
    const sale = await openSale(link);
    await sale.hold(10);
    await sale.drained();
    await eventually(async () => expect(await lagOf(process)).toBe('0'));
    await redis.server.kill('SIGKILL');
    await eventually(async () => expect(await lagOf(process)).toBeUndefined());
    await redis.server.start();
    await link.ready();
    await eventually(async () => expect(await lagOf(process)).toBe('0'));
  });
});
