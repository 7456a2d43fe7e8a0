import { createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createLedger } from '../../ledger/ledger.ts';
import { eventually } from '../support/eventually.ts';
import { hold, holds, ledgerBed, log, present, settle, warmedEvent } from './bed.ts';

const bed = ledgerBed();

describe('holds become rows', () => {
  test('all at once, in the order of the chunk, with the price of the event', async () => {
    const event = await warmedEvent(bed.ledger);
    const chunk = [hold(event.eventId, { units: 2 }), hold(event.eventId), hold(event.eventId)];
    const stored = await bed.ledger.orders.storeHolds(event.eventId, chunk);
    expect(stored).toMatchObject({
      status: 'stored',
      event: { soldUnits: 4, state: 'warmed', generation: 1, runs: ['run.1'] },
      rows: chunk.map(({ reservationId: id, buyer, units }) => {
        return { id, buyer, units, state: 'PENDING_PAYMENT', stored: 'new' };
      }),
    });
    const page = await bed.ledger.orders.page(event.eventId, 0, 10);
    expect(page.map(({ id }) => id)).toEqual(chunk.map(({ reservationId }) => reservationId));
    expect(page[0]).toMatchObject({ priceMinor: 399_900, currency: 'CNY', journalId: chunk[0]?.journalId, bucket: 0 });
    expect(Math.abs((page[0]?.createdMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect((await present(bed.ledger, event.eventId)).soldUnits).toBe(4);
  });

  test('a chunk that comes again changes nothing and tells the rows as they are', async () => {
    const event = await warmedEvent(bed.ledger);
    const chunk = holds(event.eventId, 3);
    await bed.ledger.orders.storeHolds(event.eventId, chunk);
    await bed.ledger.orders.cancel({ id: chunk[1]?.reservationId ?? '', reason: 'test', to: 'CANCELLED' });
    const again = await bed.ledger.orders.storeHolds(event.eventId, chunk);
    expect(again).toMatchObject({
      rows: [
        { state: 'PENDING_PAYMENT', stored: 'there' },
        { state: 'CANCELLED', stored: 'there' },
        { state: 'PENDING_PAYMENT', stored: 'there' },
      ],
    });
    expect((await present(bed.ledger, event.eventId)).soldUnits).toBe(2);
  });

  test('a chunk with known, new and doubled holds stores each new one once', async () => {
    const event = await warmedEvent(bed.ledger);
    const known = hold(event.eventId);
    await bed.ledger.orders.storeHolds(event.eventId, [known]);
    const fresh = hold(event.eventId);
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [fresh, known, fresh]);
    expect(stored).toMatchObject({ rows: [{ stored: 'new' }, { stored: 'there' }, { stored: 'there' }] });
    expect((await present(bed.ledger, event.eventId)).soldUnits).toBe(2);
  });

  test('an id that another event has, or that has another buyer, is told and leaves the row alone', async () => {
    const event = await warmedEvent(bed.ledger);
    const other = await warmedEvent(bed.ledger);
    const first = hold(event.eventId);
    await bed.ledger.orders.storeHolds(event.eventId, [first]);
    const foreign = await bed.ledger.orders.storeHolds(other.eventId, [{ ...first, eventId: other.eventId }]);
    expect(foreign).toMatchObject({ event: { soldUnits: 0 }, rows: [{ stored: 'other-event' }] });
    const differing = await bed.ledger.orders.storeHolds(event.eventId, [{ ...first, units: 3 }]);
    expect(differing).toMatchObject({ event: { soldUnits: 1 }, rows: [{ stored: 'differs', units: 1 }] });
  });

  test('an event that the ledger does not have, or that was never preheated, stores nothing', async () => {
    const unknown = 'shop.nobody.1';
    expect(await bed.ledger.orders.storeHolds(unknown, [hold(unknown)])).toEqual({ status: 'unknown-event' });
    const event = await warmedEvent(bed.ledger);
    await bed.sql(`UPDATE events SET state = 'warming' WHERE event_id = ?`, [event.eventId]);
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [hold(event.eventId)]);
    expect(stored).toEqual({ status: 'not-warmed' });
    expect(await bed.ledger.orders.page(event.eventId, 0, 10)).toEqual([]);
  });

  test('a recovering event takes rows, and says that it recovers', async () => {
    const event = await warmedEvent(bed.ledger);
    await bed.ledger.events.beginRecovery(event.eventId, 1);
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [hold(event.eventId)]);
    expect(stored).toMatchObject({
      event: { state: 'recovering', generation: 2 },
      rows: [{ state: 'PENDING_PAYMENT' }],
    });
  });
});

describe('the barrier behind Redis', () => {
  test('what is above the total is stored as voided, in the order of the journal and not of the chunk', async () => {
    const event = await warmedEvent(bed.ledger, { totalUnits: 3 });
    const [a, b, c] = [hold(event.eventId), hold(event.eventId, { units: 2 }), hold(event.eventId)];
    const late = hold(event.eventId);
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [late, c, b, a]);
    expect(stored).toMatchObject({
      event: { soldUnits: 3 },
      rows: [{ state: 'VOIDED' }, { state: 'VOIDED' }, { state: 'PENDING_PAYMENT' }, { state: 'PENDING_PAYMENT' }],
    });
    expect((await bed.ledger.orders.get(late.reservationId))?.reason).toBe('over-total');
    expect(await bed.ledger.orders.countByState(event.eventId)).toEqual({ PENDING_PAYMENT: 2, VOIDED: 2 });
  });

  test('one that asks for too much does not keep a smaller one behind it out', async () => {
    const event = await warmedEvent(bed.ledger, { totalUnits: 2 });
    const [big, small] = [hold(event.eventId, { units: 3 }), hold(event.eventId, { units: 2 })];
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [big, small]);
    expect(stored).toMatchObject({ rows: [{ state: 'VOIDED' }, { state: 'PENDING_PAYMENT' }] });
  });

  test('a hold that comes after the settlement is voided, and what was settled stays', async () => {
    const event = await warmedEvent(bed.ledger);
    await bed.ledger.orders.storeHolds(event.eventId, holds(event.eventId, 2));
    await settle(bed.ledger, event.eventId);
    const stored = await bed.ledger.orders.storeHolds(event.eventId, [hold(event.eventId)]);
    expect(stored).toMatchObject({ event: { state: 'settled', soldUnits: 2 }, rows: [{ state: 'VOIDED' }] });
  });

  test('twelve consumers at once, with half of the chunks doubled, sell exactly the total', async () => {
    const event = await warmedEvent(bed.ledger, { totalUnits: 100 });
    const chunks = Array.from({ length: 12 }, () => holds(event.eventId, 15));
    const others = Array.from({ length: 3 }, () => createLedger({ url: bed.url, log }));
    try {
      const work = [...chunks, ...chunks.slice(0, 6)].map((chunk, index) => {
        const ledger = others[index % others.length] ?? bed.ledger;
        return ledger.orders.storeHolds(event.eventId, chunk);
      });
      await Promise.all(work);
    } finally {
      await Promise.all(others.map((ledger) => ledger.close()));
    }
    expect(await bed.ledger.orders.countByState(event.eventId)).toEqual({ PENDING_PAYMENT: 100, VOIDED: 80 });
    expect((await present(bed.ledger, event.eventId)).soldUnits).toBe(100);
  });
});

describe('a hold of an earlier generation', () => {
  /** An event that was recovered: generation 2 is on sale. */
  async function recovered(totalUnits: number): Promise<string> {
    const { eventId } = await warmedEvent(bed.ledger, { totalUnits });
    await bed.ledger.events.beginRecovery(eventId, 1);
    await bed.ledger.events.finishRecovery(eventId, 2, async () => ({ runs: ['run.2'] }));
    return eventId;
  }

  test('becomes no row before the stock has said whether it has a place, nor does its chunk', async () => {
    const eventId = await recovered(10);
    const [late, other] = [hold(eventId), hold(eventId, { generation: 2 })];
    const asked = await bed.ledger.orders.storeHolds(eventId, [late, other]);
    expect(asked).toMatchObject({ status: 'ask-stock', event: { generation: 2, runs: ['run.2'] }, holds: [late] });
    expect(await bed.ledger.orders.page(eventId, 0, 10)).toEqual([]);
    expect((await present(bed.ledger, eventId)).soldUnits).toBe(0);
  });

  test('is voided when it was refused, and takes no room from the others', async () => {
    const eventId = await recovered(2);
    const [refused, taken, other] = [hold(eventId), hold(eventId), hold(eventId, { generation: 2 })];
    const word = { generation: 2, refused: new Set([refused.reservationId]) };
    const stored = await bed.ledger.orders.storeHolds(eventId, [other, refused, taken], word);
    expect(stored).toMatchObject({
      event: { soldUnits: 2 },
      rows: [{ state: 'PENDING_PAYMENT' }, { state: 'VOIDED' }, { state: 'PENDING_PAYMENT' }],
    });
    expect((await bed.ledger.orders.get(refused.reservationId))?.reason).toBe('refused-by-stock');
  });

  test('is asked for again when yet another generation is on sale, and not any more when it has its row', async () => {
    const eventId = await recovered(10);
    const late = hold(eventId);
    const word = { generation: 2, refused: new Set([late.reservationId]) };
    await bed.ledger.events.beginRecovery(eventId, 2);
    await bed.ledger.events.finishRecovery(eventId, 3, async () => ({ runs: ['run.3'] }));
    expect(await bed.ledger.orders.storeHolds(eventId, [late], word)).toMatchObject({ status: 'ask-stock' });
    const second = { generation: 3, refused: new Set<string>() };
    expect(await bed.ledger.orders.storeHolds(eventId, [late], second)).toMatchObject({ rows: [{ stored: 'new' }] });
    expect(await bed.ledger.orders.storeHolds(eventId, [late])).toMatchObject({ rows: [{ stored: 'there' }] });
  });

  test('is stored at once while no stock is on sale, whatever an earlier one said', async () => {
    const eventId = await recovered(10);
    const late = hold(eventId);
    await bed.ledger.events.beginRecovery(eventId, 2);
    const word = { generation: 2, refused: new Set([late.reservationId]) };
    const stored = await bed.ledger.orders.storeHolds(eventId, [late], word);
    expect(stored).toMatchObject({ rows: [{ state: 'PENDING_PAYMENT' }] });
  });
});

describe('a server in trouble', () => {
  test('an event row that somebody else has locked is waited for', async () => {
    const event = await warmedEvent(bed.ledger);
    const blocker = await createConnection(bed.url);
    await blocker.query('START TRANSACTION');
    await blocker.query('SELECT * FROM events WHERE event_id = ? FOR UPDATE', [event.eventId]);
    const stored = bed.ledger.orders.storeHolds(event.eventId, [hold(event.eventId)]);
    await blocker.query('SELECT SLEEP(0.2)');
    expect(await bed.ledger.orders.countByState(event.eventId)).toEqual({});
    await blocker.query('COMMIT');
    await blocker.end();
    expect(await stored).toMatchObject({ rows: [{ stored: 'new' }] });
  });

  test('a transaction that loses a deadlock is done again as a whole', async () => {
    const [one, two] = [await warmedEvent(bed.ledger), await warmedEvent(bed.ledger)];
    const lines: string[] = [];
    const ledger = createLedger({ url: bed.url, log: pino({ level: 'warn' }, { write: (line) => lines.push(line) }) });
    const shared = hold(one.eventId);
    const blocker = await createConnection(bed.url);
    await blocker.query('START TRANSACTION');
    // Many rows: of two who wait for each other, the server ends the one that has written less.
    const rows = [shared, ...holds(two.eventId, 50)].map((row) => ({ ...row, eventId: two.eventId }));
    for (const row of rows) await insertRow(blocker, row);
    const waiting = ledger.orders.storeHolds(one.eventId, [shared]);
    await eventually(
      async () => {
        const waits = await bed.sql(`SELECT 1 FROM information_schema.innodb_trx t
        JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
        WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'`);
        return waits.length > 0;
        // InnoDB does not renew this table for whoever asks again within a tenth of a second.
      },
      { intervalMs: 200 },
    );
    // It has the event's row and waits for the id; now we wait for the event's row.
    await blocker.query('UPDATE events SET paused = 1 - paused WHERE event_id = ?', [one.eventId]);
    await blocker.query('ROLLBACK');
    await blocker.end();
    expect(await waiting).toMatchObject({ event: { soldUnits: 1 }, rows: [{ stored: 'new' }] });
    await ledger.close();
    expect(lines.map((line) => JSON.parse(line)).map(({ kind }) => kind)).toContain('conflict');
    expect((await present(bed.ledger, one.eventId)).soldUnits).toBe(1);
  });

  test('a connection that the server ends in the middle is replaced, and the work is done once', async () => {
    const event = await warmedEvent(bed.ledger, { totalUnits: 10_000 });
    const killer = await createConnection(bed.url);
    const chunks = Array.from({ length: 40 }, () => holds(event.eventId, 100));
    let stored = 0;
    const work = (async () => {
      for (const chunk of chunks) {
        await bed.ledger.orders.storeHolds(event.eventId, chunk);
        stored += 1;
      }
    })();
    let killed = 0;
    for (let round = 0; round < 15; round += 1) {
      const before = stored;
      const [rows] = await killer.query('SELECT id FROM information_schema.processlist WHERE db = DATABASE()');
      for (const { id } of rows as { id: number }[]) {
        if (id === killer.threadId) continue;
        killed += 1;
        await killer.query(`KILL ${id}`).catch(() => {});
      }
      await killer.query('SELECT SLEEP(0.03)');
      // A chunk gives up after some attempts: one that a busy machine stores slowly must not lose each of them.
      await Promise.race([work, eventually(() => stored > before || stored === chunks.length)]);
    }
    await killer.end();
    await work;
    expect(killed).toBeGreaterThan(0);
    expect(await bed.ledger.orders.countByState(event.eventId)).toEqual({ PENDING_PAYMENT: 4_000 });
    expect((await present(bed.ledger, event.eventId)).soldUnits).toBe(4_000);
  });

  test('a database that is away for good is told as such after a few attempts', async () => {
    const ledger = createLedger({ url: 'mysql://root@127.0.0.1:1/none', log });
    await expect(ledger.orders.storeHolds('a.b.1', [hold('a.b.1')])).rejects.toMatchObject({
      code: 'SECKILL_ERR_UNAVAILABLE',
    });
    await ledger.close();
  });
});

async function insertRow(
  connection: Awaited<ReturnType<typeof createConnection>>,
  { reservationId, eventId, journalId, buyer }: ReturnType<typeof hold>,
): Promise<void> {
  await connection.query(
    `INSERT INTO orders (id, event_id, bucket, generation, journal_id, buyer, units, state, price_minor, currency, held_at_ms)
     VALUES (?, ?, 0, 1, ?, ?, 1, 'PENDING_PAYMENT', 1, 'CNY', 1)`,
    [reservationId, eventId, journalId, buyer],
  );
}
