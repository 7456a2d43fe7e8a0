import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { createJournal } from '../../lua/journal.ts';
import { HOLDS_PAGE_ENTRIES } from '../../operator/effects/metrics/limits.ts';
import { createOldestHold } from '../../operator/effects/metrics/oldest-hold.ts';
import { type Closers, openLink, openSale } from '../relay/bed.ts';
import { ownRedis } from '../support/redis.ts';

const redis = ownRedis();
const closers: Closers = [];
let link: RedisLink;

beforeAll(() => {
  link = openLink(redis.url, closers);
});
afterAll(async () => {
  for (const close of closers) await close();
});

test('the oldest hold is the first that is held even now, however many before it were committed or released', async () => {
  const sale = await openSale(link);
  const oldest = createOldestHold({ stock: sale.stock, journal: createJournal({ link }) });
  const look = async () => {
    const seen = await sale.stock.snapshot(sale.ref);
    return oldest.look(sale.ref, seen.status === 'ok' ? seen.heldUnits : 0);
  };
  expect(await look()).toEqual({ status: 'none' });

  const early = await sale.hold(2 * HOLDS_PAGE_ENTRIES + 10);
  const first = await look();
  const late = await sale.hold(3);
  expect(first.status).toBe('found');
  expect(await look()).toEqual(first);

  for (let at = 0; at < early.length; at += 500) await sale.stock.commit(sale.ref, early.slice(at, at + 500));
  const second = await look();
  if (first.status !== 'found' || second.status !== 'found') throw new Error('a hold is not found');
  expect(second.atMs).toBeGreaterThanOrEqual(first.atMs);
  await sale.stock.release(sale.ref, late.slice(0, 2));
  expect((await look()).status).toBe('found');
  await sale.stock.release(sale.ref, late);
  expect(await look()).toEqual({ status: 'none' });
});

test('a look costs what happened since the last one: the pages before are not read again', async () => {
  const sale = await openSale(link);
  const journal = createJournal({ link });
  let pages = 0;
  const range: typeof journal.range = (...args) => {
    pages += 1;
    return journal.range(...args);
  };
  const counting = { ...journal, range };
  const oldest = createOldestHold({ stock: sale.stock, journal: counting });
  const early = await sale.hold(4 * HOLDS_PAGE_ENTRIES);
  for (let at = 0; at < early.length; at += 500) await sale.stock.commit(sale.ref, early.slice(at, at + 500));
  await sale.hold(1);
  expect((await oldest.look(sale.ref, 1)).status).toBe('found');
  expect(pages).toBeGreaterThanOrEqual(4);
  pages = 0;
  expect((await oldest.look(sale.ref, 1)).status).toBe('found');
  expect(pages).toBe(1);
});
