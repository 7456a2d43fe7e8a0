import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { journalKey, reservationsKey } from '../../lua/keys.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { isSeckillError } from '../../services/domain/errors.ts';
import { ledgerBed } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { type Pipeline, pipelineBed } from './bed.ts';

const bed = ledgerBed();
const { open, redis } = pipelineBed(bed);
const journalOf = ({ sale }: Pipeline): Promise<number> => redis().xlen(journalKey(sale.eventId, 0));
const removeOrder = (id: string) => bed.sql('DELETE FROM orders WHERE id = ?', [id]);

async function sell(pipeline: Pipeline, count: number) {
  const messages = await pipeline.sale.hold(count);
  await pipeline.relay();
  await pipeline.topic.passed();
  await pipeline.relay();
  return messages;
}

describe('lag is no error', () => {
  test('without consumers nothing is due, however often it is looked at; with them all is', async () => {
    const pipeline = await open();
    const follow = pipeline.follow();
    const stop = await pipeline.consume();
    await sell(pipeline, 5);
    for (let round = 0; round < 3; round += 1) expect((await follow.complete()).accuracy).toEqual(ACCURATE);
    await stop();
    await pipeline.sale.hold(4);
    await pipeline.relay();
    // The mark of before passes; the next one holds what no consumer has passed.
    for (let step = 0; step < 5; step += 1) expect((await follow.step())?.accuracy).toEqual(ACCURATE);
    expect(await follow.step()).toMatchObject({ accuracy: ACCURATE, complete: false, lagEntries: 4 });
    expect((await pipeline.audit({ waitMs: 0 })).counts).toMatchObject({ told: 9, due: 5 });
    await pipeline.consume();
    await pipeline.topic.passed();
    await pipeline.relay();
    await follow.complete();
    await follow.complete();
    expect(await follow.complete()).toMatchObject({ accuracy: ACCURATE, lagEntries: 0 });
  });

  test('what the relay has not acknowledged is not due, although consumers are at the end', async () => {
    const pipeline = await open();
    const follow = pipeline.follow();
    await pipeline.consume();
    await sell(pipeline, 2);
    await follow.complete();
    const [lost] = await pipeline.sale.hold(1);
    await pipeline.relayHalf();
    await pipeline.topic.passed();
    await removeOrder(lost?.reservationId ?? '');
    for (let round = 0; round < 3; round += 1) expect((await follow.complete()).accuracy).toEqual(ACCURATE);
  });

  test('no false alarm while it is sold, cancelled, stopped and rebuilt at random', { timeout: 240_000 }, async () => {
    const pipeline = await open({ totalUnits: 300 });
    const { sale } = pipeline;
    const follow = pipeline.follow();
    const running = new AbortController();
    const repeat = async (everyMs: number, work: () => Promise<unknown>): Promise<void> => {
      while (!running.signal.aborted) {
        await work();
        await delay(everyMs, undefined, { signal: running.signal }).catch(() => {});
      }
    };
    let stop = await pipeline.consume();
    let rebuilding = false;
    const works = [
      repeat(5, pipeline.relay),
      repeat(5, async () => {
        if (rebuilding) return;
        const { availableUnits } = await sale.snapshot();
        // A rebuild that begins meanwhile refuses it.
        const messages = await sale.hold(Math.min(5, Math.max(1, availableUnits))).catch(() => []);
        for (const { reservationId: id } of messages.slice(0, 2)) {
          await bed.ledger.orders.cancel({ id, reason: 'test', to: 'CANCELLED' });
        }
        const [earlier] = await bed.ledger.orders.page(sale.eventId, Math.floor(Math.random() * 300), 1);
        if (earlier !== undefined) await bed.ledger.orders.cancel({ ...earlier, reason: 'test', to: 'EXPIRED' });
      }),
      repeat(400, async () => {
        await stop();
        await delay(200);
        stop = await pipeline.consume();
      }),
    ];
    const seen: string[] = [];
    let completed = 0;
    for (let step = 0; step < 80; step += 1) {
      const looked = await follow.step().catch((error: unknown) => {
        if (!isSeckillError(error, 'SECKILL_ERR_NOT_READY')) throw error;
        return undefined;
      });
      if (looked?.complete === true) completed += 1;
      if (looked !== undefined && JSON.stringify(looked.accuracy) !== JSON.stringify(ACCURATE)) {
        seen.push(JSON.stringify(looked));
      }
      if (step % 30 === 29) {
        rebuilding = true;
        await pipeline.recover();
        rebuilding = false;
      }
      await delay(20);
    }
    running.abort();
    await Promise.all(works);
    expect(seen).toEqual([]);
    expect(completed).toBeGreaterThan(2);
    await pipeline.relay();
    await pipeline.topic.passed();
    await pipeline.relay();
    await follow.complete();
    expect((await follow.complete()).accuracy).toEqual(ACCURATE);
    const last = await pipeline.audit();
    expect(last).toMatchObject({ accuracy: ACCURATE, complete: true, counts: { rebuilds: 2 } });
    expect(last.counts.told).toBeGreaterThan(100);
  });
});

describe('the cursor', () => {
  test('is where the next leader goes on, so that holds of a trimmed journal still count', async () => {
    const pipeline = await open();
    await pipeline.consume();
    const first = pipeline.follow();
    await sell(pipeline, 6);
    for (let round = 0; round < 5; round += 1) await first.complete();
    expect(await journalOf(pipeline)).toBeLessThanOrEqual(1);
    const second = pipeline.follow();
    await sell(pipeline, 3);
    for (let round = 0; round < 5; round += 1) await second.complete();
    expect(await journalOf(pipeline)).toBeLessThanOrEqual(1);
    expect((await pipeline.audit()).counts).toMatchObject({ told: 9, due: 9 });
    expect((await pipeline.audit({ settled: true })).counts).toMatchObject({ told: 9, due: 9 });
  });

  test('is moved by one of two leaders that look at once', async () => {
    const pipeline = await open();
    await pipeline.consume();
    const leaders = [pipeline.follow(), pipeline.follow()];
    for (let batch = 0; batch < 3; batch += 1) {
      await sell(pipeline, 4);
      for (let step = 0; step < 6; step += 1) await Promise.all(leaders.map((leader) => leader.step()));
    }
    for (const leader of leaders) expect((await leader.complete()).accuracy).toEqual(ACCURATE);
    expect((await pipeline.audit()).counts).toMatchObject({ told: 12, due: 12 });
    const [row] = await bed.sql('SELECT state FROM audits WHERE event_id = ?', [pipeline.sale.eventId]);
    expect(JSON.parse(String(row?.['state']))).toMatchObject({ told: 12, rows: 12 });
  });

  test('lists a part of what is wrong and counts all of it', { timeout: 240_000 }, async () => {
    const pipeline = await open({ totalUnits: 2_000 });
    await pipeline.consume();
    for (let batch = 0; batch < 11; batch += 1) await pipeline.sale.hold(100);
    await pipeline.relay();
    await pipeline.topic.passed();
    const follow = pipeline.follow();
    await follow.complete();
    await bed.sql('DELETE FROM orders WHERE event_id = ?', [pipeline.sale.eventId]);
    // On a machine that is busy a full comparison rests after the one before.
    await eventually(async () => expect((await follow.step())?.accuracy).toEqual({ ...ACCURATE, broken: 1_100 }));
    for (let round = 0; round < 3; round += 1) {
      expect((await follow.complete()).accuracy).toEqual({ ...ACCURATE, broken: 1_100 });
    }
  });
});

test('counts that disagree have all compared at once, and again when what came meanwhile is due', async () => {
  const pipeline = await open();
  const { sale, relay } = pipeline;
  await pipeline.consume();
  const follow = pipeline.follow();
  await sell(pipeline, 3);
  await follow.complete();
  await follow.complete();
  const [message] = await sale.hold(1);
  await redis().xdel(journalKey(sale.eventId, 0), message?.journalId ?? '');
  await relay();
  const why: (string | undefined)[] = [];
  await eventually(async () => {
    why.push((await follow.step())?.full);
    expect(why).toContain('a second look at all');
  });
  expect(why).toContain('the stock is not what its journal says');
  expect((await follow.complete()).accuracy).toEqual({ ...ACCURATE, broken: 1 });
});

describe('the trimmed journal', () => {
  test('keeps a hold that has no order, so that a relay can still bring it; then all is well again', async () => {
    const pipeline = await open();
    const { sale, topic, journal } = pipeline;
    await pipeline.consume();
    const follow = pipeline.follow();
    await sell(pipeline, 3);
    await follow.complete();
    const [lost] = await sale.hold(1);
    if (lost === undefined) throw new Error('nothing was held');
    // Kafka acknowledged it, and lost it.
    const { entries, serial } = await journal.read(sale.eventId, 0, 'test', 10);
    const ids = entries.map(({ id }) => id);
    await journal.ack(sale.eventId, 0, ids, serial);
    await sell(pipeline, 3);
    for (let round = 0; round < 5; round += 1) await follow.complete();
    expect((await follow.complete()).accuracy).toEqual({ ...ACCURATE, broken: 1 });
    const kept = await journal.range(sale.eventId, 0, '0-0', 10);
    expect(kept[0]).toMatchObject({ type: 'held', reservationId: lost.reservationId });
    await topic.send([lost]);
    await topic.passed();
    await pipeline.relay();
    await follow.complete();
    expect((await follow.complete()).accuracy).toEqual(ACCURATE);
    for (let round = 0; round < 3; round += 1) await follow.complete();
    expect(await journalOf(pipeline)).toBeLessThanOrEqual(1);
  });

  test('is drained by a recovery, and a hold that was lost before it is still owed', async () => {
    const pipeline = await open();
    await pipeline.consume();
    const follow = pipeline.follow();
    const [lost] = await sell(pipeline, 5);
    await follow.complete();
    await removeOrder(lost?.reservationId ?? '');
    await follow.step();
    for (let round = 0; round < 4; round += 1) await follow.complete();
    await redis().del(reservationsKey(pipeline.sale.eventId, 0), journalKey(pipeline.sale.eventId, 0));
    await pipeline.recover();
    await sell(pipeline, 2);
    await follow.complete();
    expect((await follow.complete()).accuracy).toEqual({ ...ACCURATE, broken: 1 });
    expect(await pipeline.audit({ settled: true })).toMatchObject({
      accuracy: { ...ACCURATE, broken: 1 },
      counts: { told: 7 },
    });
  });

  test('is what a sale is settled with: what was told long ago and has no order is broken', async () => {
    const pipeline = await open();
    await pipeline.consume();
    const follow = pipeline.follow();
    const messages = await sell(pipeline, 5);
    for (let round = 0; round < 5; round += 1) await follow.complete();
    expect(await journalOf(pipeline)).toBeLessThanOrEqual(1);
    await removeOrder(messages[2]?.reservationId ?? '');
    expect(await pipeline.audit({ settled: true })).toMatchObject({
      accuracy: { ...ACCURATE, broken: 1 },
      counts: { told: 5, due: 5 },
    });
  });
});
