import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { afterAll, describe, expect, test } from 'vitest';
import { openDatabase, ROLL_BACK } from '../../ledger/database.ts';
import { createLedger } from '../../ledger/ledger.ts';
import { migrate } from '../../ledger/migrate.ts';
import { defineModels } from '../../ledger/models.ts';
import { hold, ledgerBed, log, statementOn, warmedEvent } from './bed.ts';

const bed = ledgerBed();
const created: string[] = [];

afterAll(async () => {
  for (const name of created) await bed.sql('DROP DATABASE IF EXISTS ??', [name]);
});

/** The URL of a database that is not there yet. */
function missingDatabase(): string {
  const name = `seckill_test_${randomBytes(6).toString('hex')}`;
  created.push(name);
  const url = new URL(bed.url);
  url.pathname = `/${name}`;
  return url.href;
}

describe('migrations', () => {
  test('make the database and its tables, once, however many processes begin at the same moment', async () => {
    const url = missingDatabase();
    await Promise.all(Array.from({ length: 6 }, () => migrate({ url, log })));
    await migrate({ url, log });
    const applied = await statementOn(url, 'SELECT name FROM schema_migrations');
    expect(applied.map(({ name }) => name)).toEqual(['0001-ledger', '0002-audits']);
    const ledger = createLedger({ url, log });
    const facts = await ledger.ping();
    await ledger.close();
    expect(facts).toMatchObject({ strict: true, pendingMigrations: [] });
    expect(facts.version).not.toBe('');
  });

  test('go on where a migration died half-way', async () => {
    const url = missingDatabase();
    await migrate({ url, log });
    await statementOn(url, 'DROP TABLE returns');
    await statementOn(url, 'DELETE FROM schema_migrations');
    await migrate({ url, log });
    expect(await statementOn(url, 'SELECT * FROM returns')).toEqual([]);
  });

  test('wait for the one who holds the lock', async () => {
    const url = missingDatabase();
    await migrate({ url, log });
    await statementOn(url, 'DELETE FROM schema_migrations');
    const holder = await createConnection(url);
    const [locks] = await holder.query('SELECT GET_LOCK(?, 0) AS got', [await lockNameOf(url)]);
    expect(locks).toEqual([{ got: 1 }]);
    let done = false;
    const waiting = migrate({ url, log }).then(() => {
      done = true;
    });
    await holder.query('SELECT SLEEP(0.3)');
    expect(done).toBe(false);
    await holder.end();
    await waiting;
    expect(await statementOn(url, 'SELECT name FROM schema_migrations')).toHaveLength(2);
  });

  test('are told as missing by a ledger that has none', async () => {
    const url = missingDatabase();
    await bed.sql('CREATE DATABASE ??', [new URL(url).pathname.slice(1)]);
    const ledger = createLedger({ url, log });
    expect((await ledger.ping()).pendingMigrations).toEqual(['0001-ledger', '0002-audits']);
    await ledger.close();
  });
});

describe('the tables', () => {
  test('have the columns that the models name, and no others', async () => {
    const database = openDatabase({ url: bed.url, log });
    for (const [table, model] of Object.entries(defineModels(database.sequelize))) {
      const columns = await database.sequelize.getQueryInterface().describeTable(table);
      expect(Object.keys(columns).sort(), table).toEqual(Object.keys(model.getAttributes()).sort());
      for (const [name, { allowNull }] of Object.entries(columns)) {
        expect(model.getAttributes()[name]?.allowNull, `${table}.${name}`).toBe(allowNull);
      }
    }
    await database.close();
  });

  test('compare ids and buyers byte by byte', async () => {
    const event = await warmedEvent(bed.ledger);
    await bed.ledger.orders.storeHolds(event.eventId, [hold(event.eventId, { buyer: 'Ann' })]);
    expect(await bed.sql(`SELECT 1 FROM orders WHERE event_id = ? AND buyer = 'ann'`, [event.eventId])).toEqual([]);
  });
});

describe('a connection of the ledger', () => {
  test('counts the rows that a condition matched, not those that changed', async () => {
    const database = openDatabase({ url: bed.url, log });
    const event = await warmedEvent(bed.ledger);
    const sql = 'UPDATE events SET armed = 1 WHERE event_id = ?';
    expect(await database.write('testing', sql, [event.eventId])).toBe(1);
    expect(await database.write('testing', sql, [event.eventId])).toBe(1);
    expect(await database.write('testing', sql, ['no.such.1'])).toBe(0);
    await database.close();
  });

  test('takes one statement a message, unless it was opened for scripts', async () => {
    const database = openDatabase({ url: bed.url, log });
    await expect(database.rows('testing', 'SELECT 1; SELECT 2')).rejects.toThrow(/syntax/);
    await database.close();
    const storing = openDatabase({ url: bed.url, log, scripts: true });
    const { eventId } = await warmedEvent(bed.ledger);
    const script = (uid: string) =>
      storing.transaction('testing', async (session) => {
        const [matched, rows] = await session.script([
          ['UPDATE events SET uid = ? WHERE event_id = ?', [uid, eventId]],
          ['SELECT uid FROM events WHERE event_id = ?', [eventId]],
        ]);
        expect([matched, rows]).toEqual([1, [{ uid }]]);
        return uid === 'kept' ? uid : ROLL_BACK;
      });
    await script('kept');
    expect(await script('forgotten')).toBe(ROLL_BACK);
    expect(await bed.ledger.events.get(eventId)).toMatchObject({ uid: 'kept' });
    await storing.close();
  });

  test.each([
    ['a text that is too long', `UPDATE events SET uid = REPEAT('x', 65) WHERE event_id = ?`],
    ['a number below zero', 'UPDATE events SET sold_units = sold_units - 1 WHERE event_id = ?'],
    ['a number that is too large', 'UPDATE events SET sold_units = 4294967296 WHERE event_id = ?'],
    ['a state that there is not', `UPDATE events SET state = 'open' WHERE event_id = ?`],
    ['a text that is not ascii', `UPDATE events SET uid = '手机' WHERE event_id = ?`],
  ])('is refused %s, rather than having it cut', async (_what, sql) => {
    const database = openDatabase({ url: bed.url, log });
    const event = await warmedEvent(bed.ledger);
    await expect(database.write('testing', sql, [event.eventId])).rejects.toThrow();
    expect(await bed.ledger.events.get(event.eventId)).toEqual(event);
    await database.close();
  });

  test('reads what others have committed meanwhile within a transaction, and one instant within a snapshot', async () => {
    const database = openDatabase({ url: bed.url, log });
    const { eventId } = await warmedEvent(bed.ledger);
    const sql = 'SELECT generation FROM events WHERE event_id = ?';
    const readings = async (read: typeof database.snapshot) =>
      read('testing', async (session) => {
        const before = await session.rows(sql, [eventId]);
        await bed.sql('UPDATE events SET generation = generation + 1 WHERE event_id = ?', [eventId]);
        return [before[0]?.['generation'], (await session.rows(sql, [eventId]))[0]?.['generation']];
      });
    expect(await readings((what, body) => database.transaction(what, body))).toEqual([1, 2]);
    expect(await readings(database.snapshot)).toEqual([2, 2]);
    expect(await readings((what, body) => database.transaction(what, body))).toEqual([3, 4]);
    await database.close();
  });
});

async function lockNameOf(url: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const name = new URL(url).pathname.slice(1);
  return `seckill-migrate-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}
