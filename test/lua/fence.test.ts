import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { createJournal } from '../../lua/journal.ts';
import { sha } from '../../lua/loader.ts';
import { readRegistry } from '../../lua/registry.ts';
import { readServerFacts } from '../../lua/server-facts.ts';
import { createStock, type StockRef } from '../../lua/stock.ts';
import { isSeckillError } from '../../services/domain/errors.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { attempt, linkTo, NO_DEADLINE_MS, openWindow, type Sale, saleOf, stand } from './stand.ts';

/** What happens when Redis is another one than the caller thinks: nothing is sold, and nobody is told a lie. */

const on = stand({ appendfsync: 'always', 'repl-diskless-sync-delay': '0' });
// Without a file of its own: a Redis that still writes its first one after a full sync refuses to stop.
const replica = ownRedis({ config: { appendonly: 'no' } });

const otherRun = { status: 'not-ready', reason: 'other-run' };
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const anotherLink = async (url: string, timeoutMs?: number): Promise<RedisLink> => {
  const link = linkTo(url, timeoutMs);
  closing.push(() => link.close());
  await link.ready();
  return link;
};

/** A client as people write them: it reconnects by itself, and never asks where it is. */
const carelessClient = (url: string): Redis => {
  const redis = new Redis(url, { retryStrategy: () => 20 });
  redis.on('error', () => {});
  closing.push(() => redis.disconnect());
  return redis;
};

const evalsha = ({ keys, ref }: Sale, one = attempt('ann')): (string | number)[] => {
  const args = [ref.generation, NO_DEADLINE_MS, one.reservationId, one.buyer, one.units];
  return [sha('reserve', ref.run), 4, ...keys, ...args];
};

const restart = async (): Promise<void> => {
  await on.server.server.kill('SIGKILL');
  await on.server.server.start();
  await on.link.ready();
};

describe('a Redis that was restarted', () => {
  test('sells nothing to a client that does not look, and keeps its data', async () => {
    const sale = await on.sale();
    const won = attempt('bob');
    await on.stock.reserve(sale.ref, [won], NO_DEADLINE_MS);
    const careless = carelessClient(on.server.url);
    expect(await careless.call('EVALSHA', evalsha(sale))).toHaveLength(4);
    const before = await sale.dump();
    await restart();
    expect(on.run).not.toBe(sale.ref.run);
    await expect(eventually(() => careless.call('EVALSHA', evalsha(sale)), { deadlineMs: 0 })).rejects.toThrow(
      'NOSCRIPT',
    );
    expect(await saleOf(on.redis, sale.ref).dump()).toEqual(before);
  });

  test('is another one to a caller who knows the run before: not-ready, for every script', async () => {
    const sale = await on.sale();
    await restart();
    const { ref } = sale;
    const before = await saleOf(on.redis, ref).dump();
    const one = [attempt('ann')];
    expect(await on.stock.reserve(ref, one, NO_DEADLINE_MS)).toEqual(otherRun);
    expect(await on.stock.commit(ref, one)).toEqual(otherRun);
    expect(await on.stock.release(ref, one)).toEqual(otherRun);
    expect(await on.stock.snapshot(ref)).toEqual(otherRun);
    expect(await on.stock.lookup(ref, [one[0]?.reservationId ?? ''])).toEqual(otherRun);
    expect(await on.stock.arm(ref, { paused: true })).toEqual(otherRun);
    expect(await on.stock.rebuildBegin({ ...ref, generation: 2 })).toEqual(otherRun);
    expect(await on.stock.preheat({ ...ref, generation: 2 }, openWindow())).toEqual(otherRun);
    expect(await on.stock.remove(ref)).toEqual(otherRun);
    const scan = on.stock.scanReservations(ref);
    await expect(scan[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'SECKILL_ERR_NOT_READY' });
    expect(await saleOf(on.redis, ref).dump()).toEqual(before);
    const scripts = await on.redis.script(
      'EXISTS',
      ...['reserve', 'commit'].map((name) => sha(name as 'commit', ref.run)),
    );
    expect(scripts, 'nobody loads a script for a run that is over').toEqual([0, 0]);
    // Whoever has compared goes on with the data that are there.
    expect(await on.stock.reserve({ ...ref, run: on.run }, one, NO_DEADLINE_MS)).toMatchObject({ status: 'decided' });
  });

  test('a text that is no identity never becomes a part of a script', async () => {
    const sale = await on.sale();
    for (const run of ['', 'x', `${sale.ref.run}\nredis.call('FLUSHALL')`]) {
      expect(await on.stock.snapshot({ ...sale.ref, run })).toEqual(otherRun);
    }
  });

  test('entries read before are not acknowledged after it', async () => {
    const sale = await on.sale();
    const { eventId } = sale.ref;
    await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS);
    const { entries, serial } = await on.journal.read(eventId, 0, 'me', 10);
    await restart();
    expect(
      await on.journal.ack(
        eventId,
        0,
        entries.map((entry) => entry.id),
        serial,
      ),
    ).toBe(false);
    const again = await on.journal.claim(eventId, 0, 'me', 0, 10);
    expect(again.entries).toEqual(entries);
    expect(again.serial).not.toBe(serial);
    expect(
      await on.journal.ack(
        eventId,
        0,
        entries.map((entry) => entry.id),
        again.serial,
      ),
    ).toBe(true);
  });
});

describe('a Redis that was rewound to an older append-only file', () => {
  test('is fenced off, and comes back exact by a rebuild from the ledger’s rows', async () => {
    const sale = await on.sale({ totalUnits: 5, unitsPerBuyer: 2 });
    const { ref } = sale;
    const [early, lost] = [attempt('ann', 2), attempt('bob', 2)];
    await on.stock.reserve(ref, [early], NO_DEADLINE_MS);
    const [, dir] = (await on.redis.config('GET', 'dir')) as string[];
    const [aof, kept] = [join(dir ?? '', 'appendonlydir'), join(dir ?? '', 'kept')];
    cpSync(aof, kept, { recursive: true });
    await on.stock.reserve(ref, [lost], NO_DEADLINE_MS);

    await on.server.server.kill('SIGKILL');
    rmSync(aof, { recursive: true });
    cpSync(kept, aof, { recursive: true });
    await on.server.server.start();
    await on.link.ready();

    expect(await on.stock.reserve(ref, [attempt('carl')], NO_DEADLINE_MS)).toEqual(otherRun);
    const now: StockRef = { ...ref, run: on.run };
    expect(await on.stock.snapshot(now)).toMatchObject({ heldUnits: 2 });
    const two = { ...now, generation: 2 };
    await on.stock.rebuildBegin(two);
    const rows = [early, lost].map((one, i) => ({ ...one, live: true, journalId: `1-${i}` }));
    await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows });
    const settings = { ...openWindow(), totalUnits: 5, revision: 1, armed: true, paused: false, closed: false };
    expect(await on.stock.rebuildFinish(two, settings)).toEqual({ status: 'finished' });
    expect(await on.stock.reserve(two, [lost, attempt('dora', 2), attempt('emil', 1)], NO_DEADLINE_MS)).toMatchObject({
      answers: [{ status: 'exists', state: 'committed' }, { status: 'sold-out', unitsLeft: 1 }, { status: 'held' }],
    });
    // Whoever still knows the generation before is told so, even with the right run.
    expect(await on.stock.release(now, [early])).toEqual({ status: 'not-ready', reason: 'other-generation' });
  });
});

describe('scripts that were flushed', () => {
  test('are loaded again by the first call, once for all that wait', async () => {
    const sale = await on.sale({ totalUnits: 1_000, unitsPerBuyer: 1 });
    await on.stock.reserve(sale.ref, [attempt('first')], NO_DEADLINE_MS);
    await on.redis.script('FLUSH');
    await on.redis.config('RESETSTAT');
    const calls = Array.from({ length: 100 }, (_, i) =>
      on.stock.reserve(sale.ref, [attempt(`buyer-${i}`)], NO_DEADLINE_MS),
    );
    for (const decision of await Promise.all(calls)) {
      expect(decision).toMatchObject({ answers: [{ status: 'held' }] });
    }
    const stats = String(await on.redis.call('INFO', 'commandstats'));
    expect(/cmdstat_script\|load:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: 101, availableUnits: 899 });
  });
});

describe('an outcome', () => {
  test('is unknown after a timeout, and the command that was held up is late: nothing is taken', async () => {
    const sale = await on.sale();
    const link = await anotherLink(on.server.url, 2_000);
    const stock = createStock({ link });
    const held = attempt('ann');
    await stock.reserve(sale.ref, [attempt('warm')], NO_DEADLINE_MS);
    const deadlineMs = Date.now() + 150;
    await on.server.server.kill('SIGSTOP');
    const error = await stock.reserve(sale.ref, [held], deadlineMs).catch((cause: unknown) => cause);
    await on.server.server.kill('SIGCONT');
    expect(isSeckillError(error, 'SECKILL_ERR_REDIS_UNKNOWN')).toBe(true);
    expect(await eventually(() => on.stock.lookup(sale.ref, [held.reservationId]))).toEqual({
      status: 'found',
      reservations: [undefined],
    });
    expect(await on.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: 1, lawHolds: true });
  });

  test('is unknown when the connection is lost meanwhile, and definite when there was none', async () => {
    const sale = await on.sale();
    const link = await anotherLink(on.server.url);
    const stock = createStock({ link });
    const journal = createJournal({ link });
    const first = link.current();
    await stock.snapshot(sale.ref);
    await on.server.server.kill('SIGSTOP');
    const call = stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS).catch((cause: unknown) => cause);
    // Only what was sent has an unknown outcome: give the socket the turn that it needs.
    await new Promise((resolve) => setImmediate(resolve));
    await on.server.server.kill('SIGKILL');
    expect(isSeckillError(await call, 'SECKILL_ERR_REDIS_UNKNOWN')).toBe(true);
    await eventually(() => link.current() === undefined);
    expect(await stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toEqual({
      status: 'not-ready',
      reason: 'disconnected',
    });
    expect(await link.refreshRun()).toBeUndefined();
    await expect(journal.read(sale.ref.eventId, 0, 'me', 1)).rejects.toMatchObject({ code: 'SECKILL_ERR_UNAVAILABLE' });
    await on.server.server.start();
    await link.ready();
    await on.link.ready();
    expect(link.current()?.run).not.toBe(first?.run);
    expect(link.current()?.serial).not.toBe(first?.serial);
    expect(link.current()?.redis, 'a lost connection is never used again').not.toBe(first?.redis);
  });

  test('is definite where Redis does not let us run scripts', async () => {
    const sale = await on.sale();
    await on.redis.call('ACL', ['SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-evalsha']);
    const link = await anotherLink(on.server.url.replace('redis://', 'redis://reader:secret@'));
    expect(await createStock({ link }).reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toEqual({
      status: 'not-ready',
      reason: 'refused-by-redis',
    });
  });

  test('of a closed link is definite, and nobody waits for it', async () => {
    const sale = await on.sale();
    const link = await anotherLink(on.server.url);
    await link.close();
    expect(await createStock({ link }).snapshot(sale.ref)).toEqual({ status: 'not-ready', reason: 'disconnected' });
    await expect(link.ready()).rejects.toMatchObject({ code: 'SECKILL_ERR_UNAVAILABLE' });
    const nowhere = linkTo('redis://127.0.0.1:1');
    const waiting = nowhere.ready();
    await expect(nowhere.ready(AbortSignal.timeout(20))).rejects.toMatchObject({ code: 'SECKILL_ERR_UNAVAILABLE' });
    const closed = nowhere.close();
    await expect(waiting).rejects.toMatchObject({ code: 'SECKILL_ERR_UNAVAILABLE' });
    await closed;
  });
});

// Last: a Redis takes another master_replid when its first replica comes, and so becomes another run.
describe('a replica that was promoted', () => {
  test('sells nothing to a client that does not look, and is another run to one that does', async () => {
    const follower = await anotherLink(replica.url);
    const followed = follower.current();
    if (followed === undefined) throw new Error('no connection to the replica');
    const { redis } = followed;
    const before = on.run;
    const nothing = { eventId: 'shop.none.1', bucket: 0, generation: 1, run: before };
    expect(await on.stock.snapshot(nothing)).toEqual({ status: 'missing' });
    await redis.replicaof('127.0.0.1', on.server.port);
    await eventually(async () => (await redis.info('replication')).includes('master_link_status:up'));
    await eventually(async () =>
      expect(await readServerFacts(on.link)).toMatchObject({
        connectedReplicas: 1,
        onlineReplicas: 1,
        replicaLagSeconds: 0,
      }),
    );
    await on.link.refreshRun();
    expect(on.run, 'the first replica gives its master another master_replid').not.toBe(before);
    expect(await on.stock.snapshot(nothing), 'although its scripts are still there').toEqual(otherRun);
    const sale = await on.sale();
    const careless = carelessClient(replica.url);
    await on.stock.reserve(sale.ref, [attempt('bob')], NO_DEADLINE_MS);
    await eventually(async () => (await redis.hget(sale.keys[0], 'heldUnits')) === '1');

    const serial = follower.current()?.serial;
    const asReplica = await follower.refreshRun();
    await redis.replicaof('NO', 'ONE');
    await expect(careless.call('EVALSHA', evalsha(sale))).rejects.toThrow('NOSCRIPT');
    const stock = createStock({ link: follower });
    expect(await stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toEqual(otherRun);
    // Not even the identity that this connection read before the promotion is good any more.
    const stale = { ...sale.ref, run: asReplica ?? '' };
    expect(await stock.reserve(stale, [attempt('ann')], NO_DEADLINE_MS)).toEqual(otherRun);
    expect(await redis.hget(sale.keys[0], 'heldUnits')).toBe('1');

    // Nobody reconnected, and still the link says another run under another serial.
    const { run } = await readRegistry(follower);
    expect(run).not.toBe(asReplica);
    expect(follower.current()?.run).toBe(run);
    expect(follower.current()?.serial).not.toBe(serial);
    expect(await stock.reserve({ ...sale.ref, run }, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({
      status: 'decided',
    });
  });

  test('is the run that a caller knows before this connection does, from the first call on', async () => {
    const follower = await anotherLink(replica.url);
    const watcher = await anotherLink(replica.url);
    const redis = follower.current()?.redis;
    await redis?.replicaof('127.0.0.1', on.server.port);
    await eventually(async () => (await redis?.info('replication'))?.includes('master_link_status:up') === true);
    const sale = await on.sale();
    await eventually(async () => (await redis?.exists(...sale.keys)) === 4);
    const before = await follower.refreshRun();
    await redis?.replicaof('NO', 'ONE');
    const run = (await watcher.refreshRun()) ?? '';
    expect(follower.current()?.run).toBe(before);
    expect(run).not.toBe(before);
    const stock = createStock({ link: follower });
    expect(await stock.reserve({ ...sale.ref, run }, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({
      status: 'decided',
    });
  });

  test('while it is a replica it refuses, and that is definite', async () => {
    const follower = await anotherLink(replica.url);
    const redis = follower.current()?.redis;
    const sale = await on.sale();
    await redis?.replicaof('127.0.0.1', on.server.port);
    await eventually(async () => (await redis?.exists(...sale.keys)) === 4);
    const run = (await follower.refreshRun()) ?? '';
    const stock = createStock({ link: follower });
    expect(await stock.reserve({ ...sale.ref, run }, [attempt('ann')], NO_DEADLINE_MS)).toEqual({
      status: 'not-ready',
      reason: 'refused-by-redis',
    });
    await redis?.replicaof('NO', 'ONE');
  });
});

describe('a master that was demoted, took the data of a replica that lagged, and was promoted again', () => {
  test('sells none of what was sold before, although it still has the scripts of its run', async () => {
    const follower = (await anotherLink(replica.url)).current()?.redis;
    await follower?.replicaof('127.0.0.1', on.server.port);
    await eventually(async () => (await follower?.info('replication'))?.includes('master_link_status:up') === true);
    await on.link.refreshRun();
    const sale = await on.sale({ totalUnits: 1 });
    await eventually(async () => (await follower?.hget(sale.keys[0], 'mode')) === 'selling');
    // The replica is cut off, and does not hear of the last unit.
    await follower?.replicaof('NO', 'ONE');
    expect(await on.stock.reserve(sale.ref, [attempt('ann')], NO_DEADLINE_MS)).toMatchObject({
      answers: [{ status: 'held' }],
    });
    const master = carelessClient(on.server.url);
    await master.replicaof('127.0.0.1', new URL(replica.url).port);
    await eventually(async () => (await master.hget(sale.keys[0], 'availableUnits')) === '1');
    await master.replicaof('NO', 'ONE');
    expect(await master.script('EXISTS', sha('reserve', sale.ref.run)), 'the script is still there').toEqual([1]);

    // What every pod does each second. Nobody had to connect again.
    await readRegistry(on.link);
    expect(await on.stock.reserve(sale.ref, [attempt('bob')], NO_DEADLINE_MS)).toEqual(otherRun);
    expect(await master.hget(sale.keys[0], 'availableUnits')).toBe('1');
    expect(await on.stock.snapshot({ ...sale.ref, run: on.run })).toMatchObject({ status: 'ok', availableUnits: 1 });
  });
});
