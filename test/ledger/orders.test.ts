import { describe, expect, test } from 'vitest';
import type { OrderState } from '../../services/domain/order.ts';
import { hold, holds, ledgerBed, present, warmedEvent } from './bed.ts';

const bed = ledgerBed();

/** One stored order of a warmed event. */
async function storedOrder(units = 1): Promise<{ eventId: string; id: string }> {
  const { eventId } = await warmedEvent(bed.ledger);
  const row = hold(eventId, { units });
  await bed.ledger.orders.storeHolds(eventId, [row]);
  return { eventId, id: row.reservationId };
}

describe('voiding what Redis refused', () => {
  test('takes the units out of the sold ones, once', async () => {
    const { eventId, id } = await storedOrder(3);
    const refused = { eventId, generation: 1, id, reason: 'refused-by-stock' };
    const answers = await Promise.all([bed.ledger.orders.void(refused), bed.ledger.orders.void(refused)]);
    expect(answers).toEqual(['voided', 'voided']);
    expect(await bed.ledger.orders.get(id)).toMatchObject({ state: 'VOIDED', reason: 'refused-by-stock' });
    expect((await present(bed.ledger, eventId)).soldUnits).toBe(0);
  });

  test('and ending one go on when somebody has set the counter of sold units too low', async () => {
    const [refused, cancelled] = [await storedOrder(3), await storedOrder(3)];
    for (const { eventId } of [refused, cancelled]) {
      await bed.sql('UPDATE events SET sold_units = 1 WHERE event_id = ?', [eventId]);
    }
    expect(await bed.ledger.orders.void({ ...refused, generation: 1, reason: 'x' })).toBe('voided');
    expect(await bed.ledger.orders.cancel({ ...cancelled, reason: 'x', to: 'EXPIRED' })).toMatchObject({ ended: true });
    for (const { eventId } of [refused, cancelled]) expect((await present(bed.ledger, eventId)).soldUnits).toBe(0);
  });

  test.each<[OrderState, string]>([
    ['PAID', 'too-late'],
    ['REFUND_DUE', 'too-late'],
    ['CANCELLED', 'ended'],
    ['EXPIRED', 'ended'],
    ['VOIDED', 'voided'],
  ])('an order that is %s is left as it is: %s', async (state, outcome) => {
    const { eventId, id } = await storedOrder();
    await bed.sql('UPDATE orders SET state = ? WHERE id = ?', [state, id]);
    expect(await bed.ledger.orders.void({ eventId, generation: 1, id, reason: 'x' })).toBe(outcome);
    expect(await bed.ledger.orders.get(id)).toMatchObject({ state });
    expect((await present(bed.ledger, eventId)).soldUnits).toBe(1);
  });

  test('is refused once a recovery has begun, and after it in the old generation', async () => {
    const { eventId, id } = await storedOrder();
    await bed.ledger.events.beginRecovery(eventId, 1);
    const refused = { eventId, id, reason: 'x' };
    expect(await bed.ledger.orders.void({ ...refused, generation: 1 })).toBe('other-generation');
    expect(await bed.ledger.orders.void({ ...refused, generation: 2 })).toBe('other-generation');
    await bed.ledger.events.finishRecovery(eventId, 2, async () => ({ runs: ['new.run'] }));
    expect(await bed.ledger.orders.void({ ...refused, generation: 1 })).toBe('other-generation');
    expect(await bed.ledger.orders.void({ ...refused, generation: 2 })).toBe('voided');
  });
});

describe('ending an order', () => {
  test('is won by one, who records the return', async () => {
    const { eventId, id } = await storedOrder(2);
    const wishes = (['CANCELLED', 'EXPIRED', 'CANCELLED', 'EXPIRED'] as const).map((to) =>
      bed.ledger.orders.cancel({ id, reason: 'test', to }),
    );
    const answers = await Promise.all(wishes);
    expect(answers.filter((answer) => answer?.ended)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer?.order.state)).size).toBe(1);
    expect((await present(bed.ledger, eventId)).soldUnits).toBe(0);
    const due = (await bed.ledger.returns.due(100)).filter((one) => one.eventId === eventId);
    expect(due).toMatchObject([{ id, units: 2, bucket: 0, generation: 1, runs: ['run.1'] }]);
    await bed.ledger.returns.done([id]);
    expect((await bed.ledger.returns.due(100)).filter((one) => one.eventId === eventId)).toEqual([]);
  });

  test('does nothing to an order that was paid or voided, and knows no order that is not there', async () => {
    const { id } = await storedOrder();
    await bed.sql(`UPDATE orders SET state = 'PAID' WHERE id = ?`, [id]);
    const answer = await bed.ledger.orders.cancel({ id, reason: 'test', to: 'EXPIRED' });
    expect(answer).toMatchObject({ ended: false, order: { state: 'PAID' } });
    expect(await bed.ledger.orders.cancel({ id: 'none', reason: 'test', to: 'EXPIRED' })).toBeUndefined();
  });

  test('the returns of a recovering event wait, and do not stand in the way of the others', async () => {
    const [one, two] = [await storedOrder(), await storedOrder()];
    for (const { id } of [one, two]) await bed.ledger.orders.cancel({ id, reason: 'test', to: 'CANCELLED' });
    await bed.ledger.events.beginRecovery(one.eventId, 1);
    const [first] = await bed.ledger.returns.due(1);
    const mine = (await bed.ledger.returns.due(100)).filter(({ id }) => id === one.id || id === two.id);
    expect(mine.map(({ id }) => id)).toEqual([two.id]);
    expect((await bed.ledger.returns.due(100, first?.seq)).map(({ id }) => id)).not.toContain(first?.id);
  });
});

describe('reading orders', () => {
  test('pages go by the order of commits, and end', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const chunks = [holds(eventId, 3), holds(eventId, 3), holds(eventId, 1)];
    for (const chunk of chunks) await bed.ledger.orders.storeHolds(eventId, chunk);
    const ids: string[] = [];
    for (let after = 0; ; ) {
      const page = await bed.ledger.orders.page(eventId, after, 3);
      if (page.length === 0) break;
      ids.push(...page.map(({ id }) => id));
      after = page.at(-1)?.seq ?? 0;
    }
    expect(ids).toEqual(chunks.flat().map(({ reservationId }) => reservationId));
    expect(await bed.ledger.orders.get('none')).toBeUndefined();
  });

  test('the books of an event are of one instant, with what is on its way back', async () => {
    const { eventId, id } = await storedOrder();
    await bed.ledger.orders.cancel({ id, reason: 'test', to: 'CANCELLED' });
    const books = await bed.ledger.audit.books(eventId);
    expect(books).toMatchObject({ event: { eventId, soldUnits: 0 }, returning: new Set([id]) });
    expect([...(books?.orders ?? [])]).toMatchObject([[id, { state: 'CANCELLED', units: 1 }]]);
    await bed.ledger.returns.done([id]);
    expect(await bed.ledger.audit.look(eventId, [id, 'none'])).toEqual({
      orders: books?.orders,
      returning: new Set(),
    });
    expect(await bed.ledger.audit.books('no.such.1')).toBeUndefined();
  });
});
