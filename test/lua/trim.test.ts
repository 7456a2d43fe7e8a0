import { describe, expect, test } from 'vitest';
import { attempt, NO_DEADLINE_MS, type Sale, stand } from './stand.ts';

const on = stand();

/** A sale with so many holds in its journal, and their ids. */
async function held(count: number): Promise<{ sale: Sale; ids: string[] }> {
  const sale = await on.sale({ totalUnits: 100 });
  const attempts = Array.from({ length: count }, (_, index) => attempt(`buyer-${index}`));
  const decision = await on.stock.reserve(sale.ref, attempts, NO_DEADLINE_MS);
  if (decision.status !== 'decided') throw new Error('nothing was held');
  return { sale, ids: decision.answers.map((answer) => (answer.status === 'held' ? answer.journalId : '')) };
}

const idsOf = async ({ ref }: Sale): Promise<string[]> =>
  (await on.journal.range(ref.eventId, 0, '0-0', 100)).map(({ id }) => id);

async function deliver({ ref }: Sale, count: number, acknowledge: boolean): Promise<void> {
  const { entries, serial } = await on.journal.read(ref.eventId, 0, 'relay-1', count);
  const ids = entries.map(({ id }) => id);
  if (acknowledge) await on.journal.ack(ref.eventId, 0, ids, serial);
}

describe('trim', () => {
  test('forgets what stands before the entry that it names, and says how much that was', async () => {
    const { sale, ids } = await held(5);
    await deliver(sale, 5, true);
    expect(await on.stock.trim(sale.ref, ids[3] ?? '')).toEqual({ status: 'trimmed', entries: 3 });
    expect(await idsOf(sale)).toEqual(ids.slice(3));
    expect(await on.stock.trim(sale.ref, ids[3] ?? '')).toEqual({ status: 'trimmed', entries: 0 });
  });

  test('keeps all that no relay was given yet, whatever it is told', async () => {
    const { sale, ids } = await held(5);
    expect(await on.stock.trim(sale.ref, ids[4] ?? '')).toEqual({ status: 'trimmed', entries: 0 });
    await deliver(sale, 2, true);
    expect(await on.stock.trim(sale.ref, `${Date.now() + 60_000}-0`)).toEqual({ status: 'trimmed', entries: 1 });
    expect(await idsOf(sale)).toEqual(ids.slice(1));
    expect(await on.journal.progress(sale.ref.eventId, 0)).toMatchObject({ drained: false });
  });

  test('keeps all from the first entry that a relay has not acknowledged', async () => {
    const { sale, ids } = await held(5);
    await deliver(sale, 1, true);
    await deliver(sale, 2, false);
    await deliver(sale, 2, true);
    expect(await on.stock.trim(sale.ref, ids[4] ?? '')).toEqual({ status: 'trimmed', entries: 1 });
    expect(await idsOf(sale)).toEqual(ids.slice(1));
  });

  test('keeps everything where no group says what was delivered', async () => {
    const { sale, ids } = await held(3);
    await on.redis.xgroup('DESTROY', sale.keys[3], 'relay');
    expect(await on.stock.trim(sale.ref, ids[2] ?? '')).toEqual({ status: 'trimmed', entries: 0 });
  });

  test('is refused in another generation, and while the stock recovers', async () => {
    const { sale, ids } = await held(3);
    await deliver(sale, 3, true);
    const next = { ...sale.ref, generation: 2 };
    expect(await on.stock.trim(next, ids[2] ?? '')).toEqual({ status: 'not-ready', reason: 'other-generation' });
    await on.stock.rebuildBegin(next);
    expect(await on.stock.trim(next, ids[2] ?? '')).toEqual({ status: 'not-ready', reason: 'recovering' });
    expect(await idsOf(sale)).toEqual(ids);
  });
});

describe('tally', () => {
  test('counts the bucket, its reservations and its journal at one instant, right or wrong', async () => {
    const { sale, ids } = await held(4);
    expect(await on.stock.tally(sale.ref)).toMatchObject({
      ...{ status: 'counted', revision: 1, closed: false, totalUnits: 100, availableUnits: 96, heldUnits: 4 },
      ...{ committedUnits: 0, smallestRefusedAsk: 0, reservations: 4, lastJournalId: ids[3] },
    });
    await sale.set({ availableUnits: 'many', heldUnits: 7 });
    expect(await on.stock.tally(sale.ref)).toMatchObject({ status: 'counted', availableUnits: -1, heldUnits: 7 });
  });

  test('says why it cannot', async () => {
    const sale = await on.sale();
    const next = { ...sale.ref, generation: 2 };
    expect(await on.stock.tally(next)).toEqual({ status: 'not-ready', reason: 'other-generation' });
    await on.stock.rebuildBegin(next);
    expect(await on.stock.tally(next)).toEqual({ status: 'not-ready', reason: 'recovering' });
    await on.redis.del(sale.keys[3]);
    expect(await on.stock.tally(next)).toEqual({ status: 'not-ready', reason: 'missing' });
  });
});

test('an entry that was deleted before the relay read it does not keep the journal from being drained', async () => {
  const { sale, ids } = await held(3);
  await on.redis.xdel(sale.keys[3], ids[2] ?? '');
  await deliver(sale, 2, true);
  expect(await on.journal.progress(sale.ref.eventId, 0)).toMatchObject({ passedId: ids[2], drained: true });
});
