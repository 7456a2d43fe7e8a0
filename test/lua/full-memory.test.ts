import { describe, expect, test } from 'vitest';
import { attempt, NO_DEADLINE_MS, openWindow, stand } from './stand.ts';

const on = stand();

/** Runs the body while Redis has less memory than it already uses. */
async function whileFull(body: () => Promise<void>): Promise<void> {
  await on.redis.config('SET', 'maxmemory', '100kb');
  try {
    await body();
  } finally {
    await on.redis.config('SET', 'maxmemory', '0');
  }
}

const oom = { status: 'not-ready', reason: 'oom' };

describe('a Redis whose memory is full', () => {
  test('sells nothing, and the pipeline drains', async () => {
    const sale = await on.sale({ totalUnits: 10, unitsPerBuyer: 5 });
    const [bought, ended] = [attempt('ann', 2), attempt('bob', 1)];
    await on.stock.reserve(sale.ref, [bought, ended], NO_DEADLINE_MS);
    await whileFull(async () => {
      const before = await sale.dump();
      expect(await on.stock.reserve(sale.ref, [attempt('carl')], NO_DEADLINE_MS)).toEqual(oom);
      expect(await on.stock.reserve(sale.ref, [bought], NO_DEADLINE_MS)).toEqual(oom);
      expect(await sale.dump()).toEqual(before);
      expect(await on.stock.preheat({ ...sale.ref, eventId: 'test.full.1' }, openWindow())).toEqual(oom);
      expect(await on.stock.arm(sale.ref, { paused: false })).toEqual(oom);

      const { entries, serial } = await on.journal.read(sale.ref.eventId, 0, 'me', 10);
      expect(entries).toHaveLength(2);
      expect(
        await on.journal.ack(
          sale.ref.eventId,
          0,
          entries.map((entry) => entry.id),
          serial,
        ),
      ).toBe(true);
      expect(await on.stock.commit(sale.ref, [bought, attempt('dora')])).toEqual({
        status: 'done',
        answers: ['committed', 'committed'],
      });
      expect(await on.stock.release(sale.ref, [ended])).toEqual({ status: 'done', answers: ['released'] });
      const target = { revision: 2, totalUnits: 12, endMs: NO_DEADLINE_MS, paused: false, closed: true };
      expect(await on.stock.adjust(sale.ref, target)).toEqual({ status: 'adjusted', totalUnits: 12 });
      expect(await on.stock.snapshot(sale.ref)).toMatchObject({ availableUnits: 9, committedUnits: 3, lawHolds: true });
      expect(await on.stock.lookup(sale.ref, [bought.reservationId])).toMatchObject({ status: 'found' });
    });
    await sale.set({ closed: 0 });
    expect(await on.stock.reserve(sale.ref, [attempt('carl')], NO_DEADLINE_MS)).toMatchObject({ status: 'decided' });
  });

  test('is rebuilt, with scripts that it first has to load', async () => {
    const sale = await on.sale();
    await whileFull(async () => {
      await on.redis.script('FLUSH');
      const two = { ...sale.ref, generation: 2 };
      expect(await on.stock.rebuildBegin(two)).toEqual({ status: 'begun' });
      const rows = [{ ...attempt('ann'), live: true, journalId: '1-1' }];
      expect(await on.stock.rebuildLoad(two, { first: true, unitsPerBuyer: 2, rows })).toMatchObject({
        status: 'loaded',
      });
      const settings = { ...openWindow(), revision: 2, armed: true, paused: false, closed: false };
      expect(await on.stock.rebuildFinish(two, settings)).toEqual({ status: 'finished' });
      expect(await on.stock.remove(two)).toEqual({ status: 'removed' });
    });
  });
});
