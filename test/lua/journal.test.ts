import { expect, test } from 'vitest';
import { createJournal } from '../../lua/journal.ts';
import { attempt, linkTo, NO_DEADLINE_MS, type Sale, stand } from './stand.ts';

const on = stand();

const sell = async (sale: Sale, count: number) => {
  const attempts = Array.from({ length: count }, (_, i) => attempt(`buyer-${i}`));
  await on.stock.reserve(sale.ref, attempts, NO_DEADLINE_MS);
  return attempts;
};

test('an entry is delivered to one consumer, and is pending until it is acknowledged', async () => {
  const sale = await on.sale();
  const { eventId } = sale.ref;
  const sold = await sell(sale, 3);
  const first = await on.journal.read(eventId, 0, 'a', 2);
  const second = await on.journal.read(eventId, 0, 'b', 10);
  const ids = [...first.entries, ...second.entries].map((entry) =>
    'reservationId' in entry ? entry.reservationId : '',
  );
  expect(ids).toEqual(sold.map((one) => one.reservationId));
  expect(await on.journal.read(eventId, 0, 'a', 10)).toEqual({ serial: first.serial, exists: true, entries: [] });
  const [oldest] = first.entries;
  expect(await on.journal.progress(eventId, 0)).toMatchObject({
    length: 3,
    pending: 3,
    smallestPendingId: oldest?.id,
    drained: false,
  });
  await on.journal.ack(
    eventId,
    0,
    first.entries.map((entry) => entry.id),
    first.serial,
  );
  expect(await on.journal.progress(eventId, 0)).toMatchObject({ pending: 1, drained: false });
  await on.journal.ack(
    eventId,
    0,
    second.entries.map((entry) => entry.id),
    second.serial,
  );
  const done = await on.journal.progress(eventId, 0);
  expect(done).toMatchObject({ pending: 0, drained: true, lastEntryId: second.entries[0]?.id });
  await on.stock.reserve(sale.ref, [attempt('new')], NO_DEADLINE_MS);
  expect(await on.journal.progress(eventId, 0)).toMatchObject({ pending: 0, drained: false });
});

test('what a consumer left behind is claimed by another, in portions, and not before its time', async () => {
  const sale = await on.sale();
  const { eventId } = sale.ref;
  await sell(sale, 5);
  await on.journal.read(eventId, 0, 'dead', 5);
  expect(await on.journal.claim(eventId, 0, 'me', 60_000, 10)).toMatchObject({ exists: true, entries: [] });
  const first = await on.journal.claim(eventId, 0, 'me', 0, 3);
  expect(first.entries).toHaveLength(3);
  const second = await on.journal.claim(eventId, 0, 'me', 0, 3, first.nextCursor);
  expect(second).toMatchObject({ nextCursor: '0-0' });
  expect(second.entries).toHaveLength(2);
});

test('nothing is acknowledged under another serial than it was read under', async () => {
  const sale = await on.sale();
  const { eventId } = sale.ref;
  await sell(sale, 1);
  const { entries, serial } = await on.journal.read(eventId, 0, 'a', 10);
  const ids = entries.map((entry) => entry.id);
  expect(await on.journal.ack(eventId, 0, ids, serial + 1)).toBe(false);
  expect(await on.journal.progress(eventId, 0)).toMatchObject({ pending: 1 });
  expect(await on.journal.ack(eventId, 0, ids, serial)).toBe(true);
});

test('a consumer leaves only when nothing of it is pending', async () => {
  const sale = await on.sale();
  const { eventId } = sale.ref;
  await sell(sale, 1);
  const { entries, serial } = await on.journal.read(eventId, 0, 'a', 10);
  expect(await on.journal.leave(eventId, 0, 'a')).toBe('pending');
  await on.journal.ack(
    eventId,
    0,
    entries.map((entry) => entry.id),
    serial,
  );
  expect(await on.journal.leave(eventId, 0, 'a')).toBe('left');
  expect(await on.journal.leave(eventId, 0, 'a')).toBe('absent');
  expect(await on.journal.leave('test.nowhere.1', 0, 'a')).toBe('absent');
});

test('a journal that is gone, or lost its group, or is no stream, does not exist', async () => {
  const spoil: ((key: string) => Promise<unknown>)[] = [
    (key) => on.redis.del(key),
    (key) => on.redis.xgroup('DESTROY', key, 'relay'),
    (key) => on.redis.set(key, 'something else'),
  ];
  for (const break_ of spoil) {
    const sale = await on.sale();
    const { eventId } = sale.ref;
    await break_(sale.keys[3]);
    expect(await on.journal.read(eventId, 0, 'a', 10)).toMatchObject({ exists: false, entries: [] });
    expect(await on.journal.claim(eventId, 0, 'a', 0, 10)).toMatchObject({ exists: false, entries: [] });
    expect(await on.journal.progress(eventId, 0)).toMatchObject({ exists: false, drained: false });
  }
});

test('an entry of a later release is passed on as unknown, with what it says', async () => {
  const sale = await on.sale();
  await on.redis.xadd(sale.keys[3], '*', 'transferred', '1 something');
  const { entries } = await on.journal.read(sale.ref.eventId, 0, 'a', 10);
  expect(entries).toEqual([{ id: expect.any(String), type: 'unknown', fields: ['transferred', '1 something'] }]);
});

test('range goes on after an id, and consumes nothing', async () => {
  const sale = await on.sale();
  const { eventId } = sale.ref;
  await sell(sale, 4);
  const first = await on.journal.range(eventId, 0, '0-0', 3);
  const rest = await on.journal.range(eventId, 0, first[2]?.id ?? '', 3);
  expect([first.length, rest.length]).toEqual([3, 1]);
  expect((await on.journal.read(eventId, 0, 'a', 10)).entries).toEqual([...first, ...rest]);
});

test('without a connection the journal cannot be read, and nothing is acknowledged', async () => {
  const link = linkTo(on.server.url);
  const journal = createJournal({ link });
  await link.ready();
  const serial = link.current()?.serial ?? 0;
  await link.close();
  const away = { code: 'SECKILL_ERR_UNAVAILABLE' };
  await expect(journal.read('test.x.1', 0, 'a', 1)).rejects.toMatchObject(away);
  await expect(journal.claim('test.x.1', 0, 'a', 0, 1)).rejects.toMatchObject(away);
  await expect(journal.progress('test.x.1', 0)).rejects.toMatchObject(away);
  await expect(journal.range('test.x.1', 0, '0-0', 1)).rejects.toMatchObject(away);
  expect(await journal.ack('test.x.1', 0, ['1-1'], serial)).toBe(false);
});

test('what is wrong with a question is no sign that the journal is gone', async () => {
  const sale = await on.sale();
  await sell(sale, 1);
  await expect(on.journal.range(sale.ref.eventId, 0, 'no id', 10)).rejects.toMatchObject({
    code: 'SECKILL_ERR_UNAVAILABLE',
  });
});

test('nothing is acknowledged in a journal that is none any more', async () => {
  const sale = await on.sale();
  await sell(sale, 1);
  const { entries, serial } = await on.journal.read(sale.ref.eventId, 0, 'a', 10);
  await on.redis.del(sale.keys[3]);
  await on.redis.set(sale.keys[3], 'something else');
  const ids = entries.map(({ id }) => id);
  expect(await on.journal.ack(sale.ref.eventId, 0, ids, serial)).toBe(false);
});
