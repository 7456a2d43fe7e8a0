import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { journalKey, reservationsKey, stockKeys } from '../../lua/keys.ts';
import { ACCURATE, type Accuracy } from '../../services/domain/accounting.ts';
import type { HoldMessage } from '../../services/domain/hold-message.ts';
import { hold, ledgerBed } from '../ledger/bed.ts';
import { type Follow, type Pipeline, pipelineBed } from './bed.ts';

const bed = ledgerBed();
const { open, redis } = pipelineBed(bed);

interface Audited extends Pipeline {
  messages: HoldMessage[];
  audited: Follow;
}

/** Ten orders that were audited long ago: the journal does not name them any more. */
async function audited(): Promise<Audited> {
  const pipeline = await open();
  await pipeline.consume();
  const follow = pipeline.follow();
  const messages: HoldMessage[] = [];
  // The last entry of a journal stays, and may name many: the last sale is of one order.
  for (const count of [9, 1]) {
    messages.push(...(await pipeline.sale.hold(count)));
    await pipeline.relay();
    await pipeline.topic.passed();
    await pipeline.relay();
    await follow.complete();
  }
  for (let round = 0; round < 4; round += 1) expect((await follow.complete()).accuracy).toEqual(ACCURATE);
  expect(await redis().xlen(journalKey(pipeline.sale.eventId, 0))).toBeLessThanOrEqual(1);
  return { ...pipeline, messages, audited: follow };
}

const stockKey = (eventId: string): string => stockKeys(eventId, 0)[0];
const idAt = (messages: HoldMessage[], index: number): string => messages[index]?.reservationId ?? '';
const removeOrder = (id: string) => bed.sql('DELETE FROM orders WHERE id = ?', [id]);
const inventOrder = (eventId: string, changes: Partial<HoldMessage> = {}) =>
  bed.ledger.orders.storeHolds(eventId, [hold(eventId, changes)]);

/** Both sides have it, Redis by hand. */
async function inventPair({ sale, messages }: Audited): Promise<void> {
  const reservationId = randomUUID();
  const buyer = messages[0]?.buyer ?? '';
  await inventOrder(sale.eventId, { reservationId, buyer });
  await redis().hset(reservationsKey(sale.eventId, 0), reservationId, `c 1 ${messages[0]?.journalId} ${buyer}`);
  await redis().hincrby(stockKey(sale.eventId), 'availableUnits', -1);
  await redis().hincrby(stockKey(sale.eventId), 'committedUnits', 1);
}

type Corruption = [what: string, expected: Partial<Accuracy>, corrupt: (o: Audited) => Promise<unknown>];

const CORRUPTIONS: Corruption[] = [
  ['nothing', {}, async () => undefined],
  [
    'two order rows deleted',
    { broken: 2 },
    ({ messages }) => Promise.all([removeOrder(idAt(messages, 0)), removeOrder(idAt(messages, 7))]),
  ],
  [
    'a counter lowered by three',
    { drift: 3 },
    ({ sale }) => redis().hincrby(stockKey(sale.eventId), 'availableUnits', -3),
  ],
  [
    'units moved from one counter to another, so that they still add up',
    { drift: 4 },
    async ({ sale }) => {
      await redis().hincrby(stockKey(sale.eventId), 'availableUnits', -4);
      await redis().hincrby(stockKey(sale.eventId), 'heldUnits', 4);
    },
  ],
  [
    'a reservation removed',
    { drift: 1 },
    ({ sale, messages }) => redis().hdel(reservationsKey(sale.eventId, 0), idAt(messages, 0)),
  ],
  ['an order without a reservation', { phantom: 1 }, ({ sale }) => inventOrder(sale.eventId)],
  [
    'an order lost and another invented, so that all counts are equal',
    { broken: 1, phantom: 1 },
    async ({ sale, messages }) => {
      await removeOrder(idAt(messages, 3));
      await bed.sql('UPDATE events SET sold_units = sold_units - 1 WHERE event_id = ?', [sale.eventId]);
      await inventOrder(sale.eventId);
    },
  ],
  [
    'a total below what is sold',
    { oversold: 2 },
    ({ sale }) => bed.sql('UPDATE events SET total_units = 8 WHERE event_id = ?', [sale.eventId]),
  ],
  [
    'units left that somebody was refused',
    { undersold: 90 },
    async ({ sale }) => {
      await redis().hset(stockKey(sale.eventId), 'smallestRefusedAsk', 1);
      await bed.sql('UPDATE events SET closed = 1 WHERE event_id = ?', [sale.eventId]);
    },
  ],
  [
    'a live order whose reservation was released',
    { drift: 1 },
    async ({ sale, messages, relay }) => {
      await sale.stock.release(sale.ref, messages.slice(0, 1));
      await relay();
    },
  ],
  [
    'an order cancelled without a return',
    { drift: 1 },
    ({ messages }) => bed.sql(`UPDATE orders SET state = 'CANCELLED' WHERE id = ?`, [idAt(messages, 0)]),
  ],
  [
    'an order of other units than its reservation',
    { drift: 1, overLimit: 1 },
    ({ messages }) => bed.sql('UPDATE orders SET units = 2 WHERE id = ?', [idAt(messages, 0)]),
  ],
  [
    'an order given to a buyer who has one',
    { drift: 1, overLimit: 1 },
    ({ messages }) =>
      bed.sql('UPDATE orders SET buyer = ? WHERE id = ?', [messages[0]?.buyer, messages[1]?.reservationId]),
  ],
  ['a second order of a buyer, on both sides', { overLimit: 1 }, inventPair],
  [
    'a hold whose journal entry was deleted before the relay read it',
    { broken: 1 },
    async ({ sale, relay }) => {
      const [message] = await sale.hold(1);
      await redis().xdel(journalKey(sale.eventId, 0), message?.journalId ?? '');
      await relay();
    },
  ],
  [
    'all that is left of the journal deleted, when its orders are there',
    {},
    ({ sale }) => redis().xtrim(journalKey(sale.eventId, 0), 'MAXLEN', 0),
  ],
];

describe('what is broken by hand long after it was audited', () => {
  test.each(CORRUPTIONS)(
    '%s: is counted within two rounds, right again when it is mended',
    {
      timeout: 60_000,
    },
    async (_what, expected, corrupt) => {
      const scene = await audited();
      await corrupt(scene);
      // Two intervals: the steps that a leader makes in them.
      await scene.topic.passed();
      await scene.audited.step();
      const second = await scene.audited.step();
      expect(second?.accuracy).toEqual({ ...ACCURATE, ...expected });
      // It stays so, and is what the full audit says, and what another leader says who begins from the cursor.
      expect((await scene.audited.complete()).accuracy).toEqual({ ...ACCURATE, ...expected });
      expect((await scene.audit()).accuracy).toEqual({ ...ACCURATE, ...expected });
      const other = scene.follow();
      await other.complete();
      expect((await other.complete()).accuracy).toEqual({ ...ACCURATE, ...expected });
    },
  );
});

test('what nothing tells of is found in turn', async () => {
  const pipeline = await open();
  await pipeline.consume();
  const [first] = await pipeline.sale.hold(3);
  await pipeline.relay();
  await pipeline.topic.passed();
  const follow = pipeline.follow({ looksInTurn: true });
  await follow.complete();
  const value = `r 1 ${first?.journalId} ${first?.buyer}`;
  await redis().hset(reservationsKey(pipeline.sale.eventId, 0), first?.reservationId ?? '', value);
  await follow.step();
  expect((await follow.step())?.accuracy).toEqual({ ...ACCURATE, drift: 1 });
});
