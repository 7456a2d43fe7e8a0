import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { stockKeys } from '../../lua/keys.ts';
import { createStock, type Stock } from '../../lua/stock.ts';
import { createFaults } from '../../services/kit/fault-points.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createReturnsSweeper } from '../../services/order/returns-sweeper.ts';
import { createStockBringer, type StockBringer } from '../../services/order/stock-bringer.ts';
import { ledgerBed, log, present } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { type Closers, closeAll, openLink, openSale, type Sale } from './bed.ts';

const bed = ledgerBed();
const redis = ownRedis();
const closers: Closers = [];
let link: RedisLink;
let bringer: StockBringer;

beforeAll(async () => {
  link = await openLink(redis.url, closers);
  bringer = bringerOn(createStock({ link }));
});
afterAll(() => closeAll(closers));

function bringerOn(stock: Stock): StockBringer {
  const metrics = createMetrics({ role: 'order' });
  return createStockBringer({ stock, ledger: bed.ledger, faults: createFaults({}), log, metrics });
}

/** Stores the holds and brings them, as a chunk does. */
async function bring(sale: Sale, messages: Parameters<typeof bed.ledger.orders.storeHolds>[1]): Promise<void> {
  let stored = await bed.ledger.orders.storeHolds(sale.eventId, messages);
  if (stored.status === 'ask-stock') {
    const word = await bringer.ask(stored.event, stored.holds);
    stored = await bed.ledger.orders.storeHolds(sale.eventId, messages, word);
  }
  if (stored.status !== 'stored') throw new Error(stored.status);
  const orders = stored.rows.map(({ id, buyer, units, state }) => ({
    ...{ reservationId: id, buyer, units, state, bucket: 0 },
  }));
  await bringer.bring(stored.event, orders);
}

describe('Redis learns the state of the rows', () => {
  test('a live order is committed, and a second time nothing changes', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const messages = await sale.hold(3);
    await bring(sale, messages);
    await bring(sale, messages);
    expect(await sale.snapshot()).toEqual({ availableUnits: 2, heldUnits: 0, committedUnits: 3 });
  });

  test('an order that ended is released, although its message says held', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const [message] = await sale.hold(1);
    if (message === undefined) throw new Error('nothing was held');
    await bed.ledger.orders.storeHolds(sale.eventId, [message]);
    await bed.ledger.orders.cancel({ id: message.reservationId, reason: 'test', to: 'CANCELLED' });
    await bring(sale, [message]);
    expect(await sale.snapshot()).toEqual({ availableUnits: 5, heldUnits: 0, committedUnits: 0 });
  });

  test('more orders than one call may move are moved in several', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 2_000 });
    await bring(
      sale,
      Array.from({ length: 1_000 }, () => sale.unheld()),
    );
    expect(await sale.snapshot()).toEqual({ availableUnits: 1_000, heldUnits: 0, committedUnits: 1_000 });
  });

  test('an order that Redis has no unit for is voided and remembered as released', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 1, ledgerUnits: 5 });
    const late = sale.unheld();
    await bring(sale, [...(await sale.hold(1)), late]);
    expect(await bed.ledger.orders.get(late.reservationId)).toMatchObject({
      ...{ state: 'VOIDED', reason: 'refused-by-stock' },
    });
    expect((await present(bed.ledger, sale.eventId)).soldUnits).toBe(1);
    expect(await sale.reservation(late.reservationId)).toMatchObject({ state: 'released' });
  });

  test('an order that the barrier voided is released', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 2, ledgerUnits: 1 });
    await bring(sale, await sale.hold(2));
    expect(await sale.snapshot()).toEqual({ availableUnits: 1, heldUnits: 0, committedUnits: 1 });
  });
});

describe('a contradiction that only a rebuild can mend', () => {
  test('an order that was paid, and that Redis refuses, makes the event recover', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 1, ledgerUnits: 5 });
    const late = sale.unheld();
    await bring(sale, await sale.hold(1));
    await bed.ledger.orders.storeHolds(sale.eventId, [late]);
    await bed.sql(`UPDATE orders SET state = 'PAID' WHERE id = ?`, [late.reservationId]);
    await bring(sale, [late]);
    expect(await present(bed.ledger, sale.eventId)).toMatchObject({ state: 'recovering', generation: 2 });
  });

  test('a live order whose reservation was released makes the event recover', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const [message] = await sale.hold(1);
    if (message === undefined) throw new Error('nothing was held');
    await sale.stock.release(sale.ref, [message]);
    await bring(sale, [message]);
    expect(await present(bed.ledger, sale.eventId)).toMatchObject({ state: 'recovering', generation: 2 });
  });

  test('an order that ended while it was brought does not', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const [message] = await sale.hold(1);
    if (message === undefined) throw new Error('nothing was held');
    const stored = await bed.ledger.orders.storeHolds(sale.eventId, [message]);
    if (stored.status !== 'stored') throw new Error(stored.status);
    await bed.ledger.orders.cancel({ id: message.reservationId, reason: 'test', to: 'EXPIRED' });
    await sale.stock.release(sale.ref, [message]);
    await bringer.bring(stored.event, [{ ...message, state: 'PENDING_PAYMENT' }]);
    expect((await present(bed.ledger, sale.eventId)).state).toBe('warmed');
  });

  test.each([
    ['live', 'PENDING_PAYMENT'],
    ['ended', 'CANCELLED'],
  ])(
    'counters that add up, but have no place for a reservation whose order is %s, make the event recover',
    async (_what, state) => {
      const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
      const [message] = await sale.hold(1);
      if (message === undefined) throw new Error('nothing was held');
      await link.current()?.redis.hmset(stockKeys(sale.eventId, 0)[0], { availableUnits: 5, heldUnits: 0 });
      await bed.ledger.orders.storeHolds(sale.eventId, [message]);
      await bed.sql('UPDATE orders SET state = ? WHERE id = ?', [state, message.reservationId]);
      await bring(sale, [message]);
      expect(await present(bed.ledger, sale.eventId)).toMatchObject({ state: 'recovering', generation: 2 });
    },
  );

  test('a reservation of other units than its order makes the event recover', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5, unitsPerBuyer: 2 });
    const [message] = await sale.hold(1);
    if (message === undefined) throw new Error('nothing was held');
    await bring(sale, [{ ...message, units: 2 }]);
    expect((await present(bed.ledger, sale.eventId)).state).toBe('recovering');
  });
});

describe('a row that somebody changed by hand', () => {
  test('so that Redis could not hold it, is no reason to leave the others of its chunk, or other returns', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const messages = await sale.hold(3);
    await bed.ledger.orders.storeHolds(sale.eventId, messages);
    const [strange, returned] = messages.map(idOf);
    await bed.sql(`UPDATE orders SET buyer = '' WHERE id = ?`, [strange]);
    await bring(sale, messages);
    expect(await sale.snapshot()).toEqual({ availableUnits: 2, heldUnits: 1, committedUnits: 2 });
    for (const id of [strange, returned]) {
      await bed.ledger.orders.cancel({ id: id ?? '', reason: 'test', to: 'CANCELLED' });
    }
    const sweeper = createReturnsSweeper({ ledger: bed.ledger, bringer, faults: createFaults({}), log });
    sweeper.start();
    await eventually(async () => expect(await sale.snapshot()).toMatchObject({ availableUnits: 3, committedUnits: 1 }));
    await sweeper.stop();
  });
});

describe('a hold of an earlier generation becomes an order', () => {
  test('only when the stock has taken its units, not when it has ended it or knows it otherwise', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5, unitsPerBuyer: 2, generation: 2 });
    const [known] = await sale.hold(1);
    if (known === undefined) throw new Error('nothing was held');
    const late = [sale.unheld({ generation: 1 }), sale.unheld({ generation: 1 })];
    await sale.stock.release(sale.ref, late.slice(1));
    const event = await present(bed.ledger, sale.eventId);
    const word = await bringer.ask(event, [...late, { ...known, generation: 1, units: 2 }]);
    expect(word).toEqual({ generation: 2, refused: new Set([late[1]?.reservationId, known.reservationId]) });
  });
});

describe('a Redis that is not the stock that the ledger means', () => {
  test('is left alone while the event recovers', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const messages = await sale.hold(2);
    await bed.ledger.events.beginRecovery(sale.eventId, 1);
    await bring(sale, messages);
    expect(await sale.snapshot()).toEqual({ availableUnits: 3, heldUnits: 2, committedUnits: 0 });
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 2 });
  });

  test.each([
    ['another run', (sale: Sale) => ({ runs: [`${'a'.repeat(40)}.${'b'.repeat(40)}`], id: sale.eventId })],
    ['another generation', (sale: Sale) => ({ generation: 7, id: sale.eventId })],
  ])('is left alone when it is %s', async (_what, change) => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const { runs, generation, id } = { runs: undefined, generation: undefined, ...change(sale) };
    if (runs !== undefined) await bed.sql('UPDATE events SET runs = ? WHERE event_id = ?', [JSON.stringify(runs), id]);
    if (generation !== undefined)
      await bed.sql('UPDATE events SET generation = ? WHERE event_id = ?', [generation, id]);
    await bring(sale, await sale.hold(2));
    expect(await sale.snapshot()).toEqual({ availableUnits: 3, heldUnits: 2, committedUnits: 0 });
    expect((await present(bed.ledger, sale.eventId)).state).toBe('warmed');
  });

  test('that is not connected at all is an error, so that the chunk comes again', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const away: RedisLink = { ...link, current: () => undefined };
    const stored = await bed.ledger.orders.storeHolds(sale.eventId, await sale.hold(1));
    if (stored.status !== 'stored') throw new Error(stored.status);
    const [row] = stored.rows;
    if (row === undefined) throw new Error('nothing was stored');
    const order = { reservationId: row.id, buyer: row.buyer, units: row.units, state: row.state, bucket: 0 };
    const bringing = bringerOn(createStock({ link: away })).bring(stored.event, [order]);
    await expect(bringing).rejects.toMatchObject({ code: 'SECKILL_ERR_UNAVAILABLE' });
    // For an event that recovers nothing has to be told, so that nobody waits for it.
    await bringerOn(createStock({ link: away })).bring({ ...stored.event, state: 'recovering' }, [order]);
  });
});

describe('the sweep of returns', () => {
  test('gives units back, once, and leaves a recovering event for later', async () => {
    const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const other = await openSale({ link, ledger: bed.ledger, totalUnits: 5 });
    const [messages, others] = [await sale.hold(3), await other.hold(1)];
    await bring(sale, messages);
    await bring(other, others);
    for (const { reservationId: id } of [...messages.slice(0, 2), ...others]) {
      await bed.ledger.orders.cancel({ id, reason: 'test', to: 'CANCELLED' });
    }
    await bed.ledger.events.beginRecovery(other.eventId, 1);
    const sweepers = [1, 2].map(() =>
      createReturnsSweeper({ ledger: bed.ledger, bringer, faults: createFaults({}), log }),
    );
    for (const sweeper of sweepers) sweeper.start();
    await eventually(async () => {
      expect((await bed.ledger.audit.look(sale.eventId, messages.map(idOf))).returning.size).toBe(0);
    });
    for (const sweeper of sweepers) await sweeper.stop();
    expect(await sale.snapshot()).toEqual({ availableUnits: 4, heldUnits: 0, committedUnits: 1 });
    expect(await other.snapshot()).toEqual({ availableUnits: 4, heldUnits: 0, committedUnits: 1 });
    expect((await bed.ledger.audit.look(other.eventId, others.map(idOf))).returning.size).toBe(1);
  });
});

const idOf = ({ reservationId }: { reservationId: string }): string => reservationId;
