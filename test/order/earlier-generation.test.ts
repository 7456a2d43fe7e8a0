import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { createStock } from '../../lua/stock.ts';
import { encodeHold, type HoldMessage } from '../../services/domain/hold-message.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { createFaults } from '../../services/kit/fault-points.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { ChunkHandler } from '../../services/kit/kafka/port.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createDeadLetters } from '../../services/order/dead-letters.ts';
import { createChunkHandler } from '../../services/order/handle-chunk.ts';
import { createStockBringer } from '../../services/order/stock-bringer.ts';
import { ledgerBed, log, present } from '../ledger/bed.ts';
import { ownRedis } from '../support/redis.ts';
import { type Closers, closeAll, openLink, openSale, type Sale } from './bed.ts';

/*
 * Redis forgot a hold, the event was recovered, and its units are on sale in generation 2. Only then the message of the
 * forgotten hold gets to the consumers: a relay was slow, or Kafka was away.
 */
const bed = ledgerBed();
const redis = ownRedis();
const closers: Closers = [];
let link: RedisLink;
let handle: ChunkHandler;

beforeAll(async () => {
  link = await openLink(redis.url, closers);
  // Nothing here becomes a dead letter: a Kafka is never asked for.
  const producer = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', log }).producer();
  closers.push(() => producer.close());
  const parts = { log, faults: createFaults({}), metrics: createMetrics({ role: 'order' }), ledger: bed.ledger };
  const bringer = createStockBringer({ ...parts, stock: createStock({ link }) });
  const deadLetters = createDeadLetters({ ...parts, producer, topic: 'dead' });
  handle = createChunkHandler({ ...parts, bringer, deadLetters, clock: systemClock });
});
afterAll(() => closeAll(closers));

let offset = 0n;

/** A chunk as a consumer gets it. */
async function consume(...holds: HoldMessage[]): Promise<void> {
  const chunk = holds.map((hold) => {
    offset += 1n;
    const value = Buffer.from(encodeHold(hold));
    return { topic: 'holds', partition: 0, offset, key: hold.reservationId, value, headers: {}, timestampMs: 0 };
  });
  await handle(chunk, { heartbeat: async () => {}, isStale: () => false });
}

const recovered = (totalUnits: number): Promise<Sale> =>
  openSale({ link, ledger: bed.ledger, totalUnits, generation: 2 });

async function stateOf({ reservationId }: HoldMessage): Promise<string | undefined> {
  return (await bed.ledger.orders.get(reservationId))?.state;
}

async function heldOne(sale: Sale): Promise<HoldMessage> {
  const [held] = await sale.hold(1);
  if (held === undefined) throw new Error('nothing was held');
  return held;
}

describe('a unit that was sold again after Redis forgot its hold', () => {
  test('belongs to whom Redis holds it for: one buyer loses it, and not both', async () => {
    const sale = await recovered(1);
    const good = await heldOne(sale);
    const late = sale.unheld({ generation: 1, journalId: '1-1' });
    await consume(late, good);
    expect([await stateOf(late), await stateOf(good)]).toEqual(['VOIDED', 'PENDING_PAYMENT']);
    expect(await sale.snapshot()).toEqual({ availableUnits: 0, heldUnits: 0, committedUnits: 1 });
    expect((await sale.reservation(late.reservationId))?.state).toBe('released');
    expect((await present(bed.ledger, sale.eventId)).soldUnits).toBe(1);
  });

  test('never fills the total of the ledger, not even for a moment', async () => {
    const sale = await recovered(20);
    const good = await sale.hold(20);
    const late = good.map(() => sale.unheld({ generation: 1, journalId: '1-1' }));
    await Promise.all([...late.map((one) => consume(one)), ...good.map((one) => consume(one))]);
    expect(await bed.ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 20, VOIDED: 20 });
    for (const one of good) expect(await stateOf(one)).toBe('PENDING_PAYMENT');
    expect(await sale.snapshot()).toEqual({ availableUnits: 0, heldUnits: 0, committedUnits: 20 });
  });
});

describe('a hold of an earlier generation', () => {
  test('keeps its unit while one is left', async () => {
    const sale = await recovered(2);
    const good = await heldOne(sale);
    const late = sale.unheld({ generation: 1, journalId: '1-1' });
    await consume(late, good);
    await consume(late, good);
    expect([await stateOf(late), await stateOf(good)]).toEqual(['PENDING_PAYMENT', 'PENDING_PAYMENT']);
    expect(await sale.snapshot()).toEqual({ availableUnits: 0, heldUnits: 0, committedUnits: 2 });
  });

  test('loses it when its buyer, who tried again, holds another one, which stays', async () => {
    const sale = await recovered(5);
    const good = await heldOne(sale);
    const late = sale.unheld({ generation: 1, journalId: '1-1', buyer: good.buyer });
    await consume(late, good);
    expect([await stateOf(late), await stateOf(good)]).toEqual(['VOIDED', 'PENDING_PAYMENT']);
    expect(await sale.snapshot()).toEqual({ availableUnits: 4, heldUnits: 0, committedUnits: 1 });
  });

  test('becomes an order without a word of Redis when that is another run: the rebuild counts it', async () => {
    const sale = await recovered(5);
    const late = sale.unheld({ generation: 1, journalId: '1-1' });
    const runs = JSON.stringify([`${'a'.repeat(40)}.${'b'.repeat(40)}`]);
    await bed.sql('UPDATE events SET runs = ? WHERE event_id = ?', [runs, sale.eventId]);
    await consume(late);
    expect(await stateOf(late)).toBe('PENDING_PAYMENT');
    expect(await sale.snapshot()).toEqual({ availableUnits: 5, heldUnits: 0, committedUnits: 0 });
  });
});

test('a value that the ledger refuses after the rows are stored makes no dead letter: the chunk comes again', async () => {
  const sale = await openSale({ link, ledger: bed.ledger, totalUnits: 1, ledgerUnits: 5 });
  const refused = sale.unheld();
  await consume(await heldOne(sale));
  await bed.sql(`CREATE TRIGGER unfit BEFORE UPDATE ON orders FOR EACH ROW SIGNAL SQLSTATE '22003'`);
  try {
    await expect(consume(refused)).rejects.toMatchObject({ sqlState: '22003' });
  } finally {
    await bed.sql('DROP TRIGGER unfit');
  }
  expect(await stateOf(refused)).toBe('PENDING_PAYMENT');
  await consume(refused);
  expect(await stateOf(refused)).toBe('VOIDED');
});
