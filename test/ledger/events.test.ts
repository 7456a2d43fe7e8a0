import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hold, holds, ledgerBed, PRODUCT, present, settle, warmedEvent, wish } from './bed.ts';

const bed = ledgerBed();

describe('editions', () => {
  test('an object that is new gets the first one, and gets it again', async () => {
    const mine = wish();
    const opened = await bed.ledger.events.openEdition(mine);
    expect(opened).toMatchObject({
      status: 'opened',
      event: {
        eventId: `shop.${mine.name}.1`,
        state: 'warming',
        generation: 0,
        revision: 1,
        runs: [],
        armed: false,
        product: PRODUCT,
        initialUnits: 10,
        totalUnits: 10,
        targetUnits: 10,
        soldUnits: 0,
      },
    });
    expect(await bed.ledger.events.openEdition(mine)).toEqual({ ...opened, status: 'continued' });
    expect(await bed.ledger.events.latest('shop', mine.name)).toEqual(opened.event);
  });

  test('of eight leaders at once one opens it', async () => {
    const mine = wish();
    const answers = await Promise.all(Array.from({ length: 8 }, () => bed.ledger.events.openEdition(mine)));
    expect(answers.filter(({ status }) => status === 'opened')).toHaveLength(1);
    expect(new Set(answers.map(({ event }) => event.eventId))).toEqual(new Set([`shop.${mine.name}.1`]));
  });

  test('until the first preheat begins, the object may change everything', async () => {
    const mine = wish();
    await bed.ledger.events.openEdition(mine);
    const changed = { ...mine, totalUnits: 7, frozen: { ...mine.frozen, unitsPerBuyer: 2 } };
    const answer = await bed.ledger.events.openEdition(changed);
    expect(answer).toMatchObject({ status: 'continued', event: { unitsPerBuyer: 2, totalUnits: 7, initialUnits: 7 } });
    expect(await present(bed.ledger, answer.event.eventId)).toEqual(answer.event);
  });

  test('a preheat of what was to be sold before the object changed is not begun', async () => {
    const mine = wish();
    const { event } = await bed.ledger.events.openEdition(mine);
    const { event: changed } = await bed.ledger.events.openEdition({ ...mine, totalUnits: 7 });
    expect(await bed.ledger.events.openEdition({ ...mine, totalUnits: 7 })).toEqual({
      ...{ status: 'continued', event: changed },
    });
    expect(await bed.ledger.events.beginPreheat(event.eventId, event)).toBeUndefined();
    expect(await bed.ledger.events.beginPreheat(event.eventId, changed)).toBe(1);
  });

  test('a restored object with the same frozen fields goes on with the stock that is there', async () => {
    const mine = wish();
    const event = await warmedEvent(bed.ledger, mine);
    const { sku, title, priceMinor, currency } = PRODUCT;
    // The members of a product have no order.
    const restored = {
      ...mine,
      uid: randomUUID(),
      frozen: { ...mine.frozen, product: { currency, priceMinor, title, sku } },
    };
    const answer = await bed.ledger.events.openEdition(restored);
    expect(answer).toEqual({ status: 'continued', event: { ...event, uid: restored.uid } });
    expect((await present(bed.ledger, event.eventId)).uid).toBe(restored.uid);
  });

  test.each([
    ['price', { product: { ...PRODUCT, priceMinor: 1 } }],
    ['buckets', { buckets: 2 }],
    ['limit', { unitsPerBuyer: 2 }],
    ['start', { startMs: 1 }],
  ])('another object with another %s waits for the settlement', async (_field, change) => {
    const mine = wish();
    const event = await warmedEvent(bed.ledger, mine);
    const other = { ...mine, uid: randomUUID(), frozen: { ...mine.frozen, ...change } };
    expect(await bed.ledger.events.openEdition(other)).toEqual({ status: 'predecessor-unsettled', event });
    // The object itself sells from what it was preheated with.
    expect(await bed.ledger.events.openEdition({ ...other, uid: mine.uid })).toEqual({ status: 'continued', event });
    await settle(bed.ledger, event.eventId);
    const opened = await bed.ledger.events.openEdition(other);
    expect(opened).toMatchObject({ status: 'opened', event: { edition: 2, state: 'warming', generation: 0 } });
  });

  test('a settled object stays settled', async () => {
    const mine = wish();
    const event = await warmedEvent(bed.ledger, mine);
    expect(await settle(bed.ledger, event.eventId, { sold: 0 })).toBe(true);
    expect(await settle(bed.ledger, event.eventId, { sold: 1 })).toBe(false);
    expect(await bed.ledger.events.settlement(event.eventId)).toEqual({ sold: 0 });
    expect(await bed.ledger.events.openEdition(mine)).toMatchObject({ status: 'settled', event: { edition: 1 } });
    expect((await bed.ledger.events.unsettled()).map(({ eventId }) => eventId)).not.toContain(event.eventId);
  });
});

describe('a settlement', () => {
  test.each<[string, (eventId: string) => Promise<unknown>]>([
    ['a recovery that began', (eventId) => bed.ledger.events.beginRecovery(eventId, 1)],
    ['an order that came', (eventId) => bed.ledger.orders.storeHolds(eventId, [hold(eventId)])],
  ])('made before %s ends nothing', async (_what, change) => {
    const { eventId } = await warmedEvent(bed.ledger);
    await bed.ledger.orders.storeHolds(eventId, [hold(eventId)]);
    const { lastSeq } = await bed.ledger.audit.now(eventId);
    await change(eventId);
    const seen = { state: 'warmed', generation: 1, lastSeq } as const;
    expect(await bed.ledger.events.settle(eventId, seen, {})).toBe(false);
    expect(await bed.ledger.events.settlement(eventId)).toBeUndefined();
  });

  test('of an event without stock ends nothing once another leader has preheated it', async () => {
    const { event } = await bed.ledger.events.openEdition(wish());
    const generation = (await bed.ledger.events.beginPreheat(event.eventId, event)) ?? 0;
    const seen = { state: 'warming', generation, lastSeq: 0 } as const;
    await bed.ledger.events.finishPreheat(event.eventId, generation, ['run.1']);
    expect(await bed.ledger.events.settle(event.eventId, seen, {})).toBe(false);
    expect((await present(bed.ledger, event.eventId)).state).toBe('warmed');
  });
});

describe('generations', () => {
  test('a preheat is begun by one, and finished in its generation only', async () => {
    const { event } = await bed.ledger.events.openEdition(wish());
    const { events } = bed.ledger;
    const begun = await Promise.all(Array.from({ length: 5 }, () => events.beginPreheat(event.eventId, event)));
    expect(begun.filter((generation) => generation !== undefined)).toEqual([1]);
    expect(await events.beginPreheat(event.eventId, { ...event, generation: 1 })).toBe(2);
    expect(await events.finishPreheat(event.eventId, 1, ['a.b'])).toBe(false);
    expect(await events.finishPreheat(event.eventId, 2, ['a.b'])).toBe(true);
    expect(await events.finishPreheat(event.eventId, 2, ['a.b'])).toBe(true);
    expect(await events.finishPreheat(event.eventId, 2, ['c.d'])).toBe(false);
    expect(await events.beginPreheat(event.eventId, { ...event, generation: 2 })).toBeUndefined();
    expect(await present(bed.ledger, event.eventId)).toMatchObject({ state: 'warmed', generation: 2, runs: ['a.b'] });
  });

  test('an event is armed once, in its generation, when it is warmed', async () => {
    const { event } = await bed.ledger.events.openEdition(wish());
    const { events } = bed.ledger;
    await events.beginPreheat(event.eventId, event);
    expect(await events.arm(event.eventId, 1)).toBe(false);
    await events.finishPreheat(event.eventId, 1, ['a.b']);
    expect(await events.arm(event.eventId, 2)).toBe(false);
    expect(await events.arm(event.eventId, 1)).toBe(true);
    expect(await events.arm(event.eventId, 1)).toBe(true);
    expect((await present(bed.ledger, event.eventId)).armed).toBe(true);
  });

  test('a recovery takes a fresh generation each time, also when the last one died', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const { events } = bed.ledger;
    const begun = await Promise.all(Array.from({ length: 5 }, () => events.beginRecovery(eventId, 1)));
    expect(begun.filter((generation) => generation !== undefined)).toEqual([2]);
    expect(await events.beginRecovery(eventId, 2)).toBe(3);
    expect(await present(bed.ledger, eventId)).toMatchObject({ state: 'recovering', generation: 3, rebuilds: 0 });
  });

  test('what was never preheated has nothing to recover', async () => {
    const { event } = await bed.ledger.events.openEdition(wish());
    expect(await bed.ledger.events.beginRecovery(event.eventId, 0)).toBeUndefined();
  });
});

describe('the end of a recovery', () => {
  test('sees all rows, voids some, and makes the event warmed in the new runs', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const chunk = holds(eventId, 4);
    await bed.ledger.orders.storeHolds(eventId, chunk);
    const [first, second] = await bed.ledger.orders.page(eventId, 0, 2);
    await bed.sql(`UPDATE orders SET state = 'PAID' WHERE id = ?`, [chunk[3]?.reservationId]);
    await bed.ledger.events.beginRecovery(eventId, 1);
    const seen: string[] = [];
    const finished = await bed.ledger.events.finishRecovery(eventId, 2, async ({ event, rowsAfter, voidRows }) => {
      expect(event).toMatchObject({ state: 'recovering', generation: 2, soldUnits: 4 });
      for await (const page of rowsAfter(first?.seq ?? 0)) seen.push(...page.map(({ id }) => id));
      expect(await voidRows([second?.id ?? '', chunk[3]?.reservationId ?? ''], 'over-limit')).toEqual([
        chunk[3]?.reservationId,
      ]);
      return { runs: ['new.run'] };
    });
    expect(finished).toBe(true);
    expect(seen).toEqual(chunk.slice(1).map(({ reservationId }) => reservationId));
    expect(await present(bed.ledger, eventId)).toMatchObject({
      ...{ state: 'warmed', generation: 2, runs: ['new.run'], soldUnits: 3, rebuilds: 1 },
    });
    expect(await bed.ledger.orders.get(second?.id ?? '')).toMatchObject({ state: 'VOIDED', reason: 'over-limit' });
  });

  test('keeps orders out while it runs', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    await bed.ledger.events.beginRecovery(eventId, 1);
    let stored = false;
    let storing: Promise<void> | undefined;
    await bed.ledger.events.finishRecovery(eventId, 2, async ({ rowsAfter }) => {
      storing = bed.ledger.orders.storeHolds(eventId, [hold(eventId)]).then((answer) => {
        stored = true;
        // Redis was loaded without it, so it has to be asked first.
        expect(answer).toMatchObject({
          ...{ status: 'ask-stock', event: { state: 'warmed', generation: 2, runs: ['new.run'] } },
        });
      });
      await bed.sql('SELECT SLEEP(0.3)');
      for await (const page of rowsAfter(0)) expect(page).toEqual([]);
      expect(stored).toBe(false);
      return { runs: ['new.run'] };
    });
    await storing;
    expect(stored).toBe(true);
  });

  test('is refused in another generation, and a body that gives up or throws changes nothing', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const row = hold(eventId);
    await bed.ledger.orders.storeHolds(eventId, [row]);
    await bed.ledger.events.beginRecovery(eventId, 1);
    const { finishRecovery } = bed.ledger.events;
    expect(await finishRecovery(eventId, 1, () => Promise.reject(new Error('never called')))).toBe(false);
    const giveUp = finishRecovery(eventId, 2, async ({ voidRows }) => {
      await voidRows([row.reservationId], 'test');
      return undefined;
    });
    expect(await giveUp).toBe(false);
    await expect(finishRecovery(eventId, 2, () => Promise.reject(new Error('Redis went away')))).rejects.toThrow(
      'Redis went away',
    );
    expect(await present(bed.ledger, eventId)).toMatchObject({ state: 'recovering', soldUnits: 1, rebuilds: 0 });
    expect(await bed.ledger.orders.get(row.reservationId)).toMatchObject({ state: 'PENDING_PAYMENT' });
  });
});

describe('accepted changes', () => {
  const same = { totalUnits: 10, endMs: 1_764_000_600_000, paused: false, closed: false };

  test('the same wish is the same revision, and another one the next', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const { acceptChange } = bed.ledger.events;
    expect(await acceptChange(eventId, same)).toMatchObject({ revision: 1 });
    expect(await acceptChange(eventId, { ...same, paused: true })).toMatchObject({ revision: 2, paused: true });
    expect(await acceptChange(eventId, { ...same, paused: true })).toMatchObject({ revision: 2 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => acceptChange(eventId, { ...same, endMs: 5 })));
    expect(answers.map(({ revision }) => revision)).toEqual([3, 3, 3, 3, 3]);
    expect(await present(bed.ledger, eventId)).toEqual(answers[0]);
  });

  test('growth raises the barrier at once; shrinking waits for what Redis achieved', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const { acceptChange, takeAchievedTotal } = bed.ledger.events;
    expect(await acceptChange(eventId, { ...same, totalUnits: 20 })).toMatchObject({ totalUnits: 20, targetUnits: 20 });
    const shrunk = await acceptChange(eventId, { ...same, totalUnits: 5 });
    expect(shrunk).toMatchObject({ revision: 3, totalUnits: 20, targetUnits: 5 });
    expect(await takeAchievedTotal(eventId, 1, 2, 8)).toBe(false);
    expect(await takeAchievedTotal(eventId, 2, 3, 8)).toBe(false);
    expect(await takeAchievedTotal(eventId, 1, 3, 21)).toBe(false);
    expect(await takeAchievedTotal(eventId, 1, 3, 8)).toBe(true);
    expect(await takeAchievedTotal(eventId, 1, 3, 8)).toBe(true);
    expect(await present(bed.ledger, eventId)).toMatchObject({ totalUnits: 8, targetUnits: 5, initialUnits: 10 });
  });

  test('a closed event stays closed, a settled one as it is, and an unknown one is told', async () => {
    const { eventId } = await warmedEvent(bed.ledger);
    const { acceptChange } = bed.ledger.events;
    expect(await acceptChange(eventId, { ...same, closed: true })).toMatchObject({ revision: 2, closed: true });
    expect(await acceptChange(eventId, same)).toMatchObject({ revision: 2, closed: true });
    await settle(bed.ledger, eventId);
    expect(await acceptChange(eventId, { ...same, totalUnits: 99 })).toMatchObject({ revision: 2, totalUnits: 10 });
    await expect(acceptChange('no.such.1', same)).rejects.toMatchObject({ code: 'SECKILL_ERR_EVENT_UNKNOWN' });
  });
});
