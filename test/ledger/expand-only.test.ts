import { randomBytes } from 'node:crypto';
import type { Sequelize } from 'sequelize';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '../../ledger/database.ts';
import { MIGRATIONS } from '../../ledger/migrate.ts';
import { ownDatabase } from '../support/mysql.ts';
import { log, statementOn } from './bed.ts';

/*
 * While a release is replaced, processes of the one before work on the new schema, and write rows by the columns that
 * they know. So what a migration finds it leaves as it is, and what it adds may be left out.
 */
interface Column {
  type: string;
  nullable: boolean;
  hasDefault: boolean;
}

interface Schema {
  /** `table.column` */
  columns: Map<string, Column>;
  /** `table.index(columns)` of unique indexes: a new one would refuse rows that were fine. */
  unique: Set<string>;
}

const own = ownDatabase();
const databases: string[] = [];
afterAll(async () => {
  for (const name of databases) await statementOn(own.url, 'DROP DATABASE IF EXISTS ??', [name]);
});

/** An empty database of its own. */
async function emptyDatabase(): Promise<string> {
  const name = `seckill_test_${randomBytes(6).toString('hex')}`;
  databases.push(name);
  await statementOn(own.url, 'CREATE DATABASE ??', [name]);
  const url = new URL(own.url);
  url.pathname = `/${name}`;
  return url.href;
}

async function schemaOf(url: string): Promise<Schema> {
  const columns = await statementOn(
    url,
    `SELECT table_name AS t, column_name AS c, column_type AS type, collation_name AS collation, is_nullable AS nullable,
       column_default AS preset, extra FROM information_schema.columns WHERE table_schema = DATABASE()`,
  );
  const unique = await statementOn(
    url,
    `SELECT table_name AS t, index_name AS i, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS cs
       FROM information_schema.statistics WHERE table_schema = DATABASE() AND non_unique = 0 GROUP BY table_name, index_name`,
  );
  return {
    columns: new Map(
      columns.map(({ t, c, type, collation, nullable, preset, extra }) => [
        `${t}.${c}`,
        {
          type: `${type} ${collation ?? ''}`,
          nullable: nullable === 'YES',
          hasDefault: preset !== null || String(extra).includes('auto_increment'),
        },
      ]),
    ),
    unique: new Set(unique.map(({ t, i, cs }) => `${t}.${i}(${cs})`)),
  };
}

/** What the release before would stumble over. */
function obstacles(before: Schema, after: Schema): string[] {
  const tables = new Set([...before.columns.keys()].map((name) => name.split('.')[0]));
  const found: string[] = [];
  for (const [name, column] of before.columns) {
    const now = after.columns.get(name);
    if (now === undefined) found.push(`${name} is gone`);
    else if (now.type !== column.type) found.push(`${name} was ${column.type}, it is ${now.type}`);
    else if (column.nullable && !now.nullable) found.push(`${name} could be null, and may not any more`);
    else if (column.hasDefault && !now.hasDefault) found.push(`${name} has no default any more`);
  }
  for (const [name, { nullable, hasDefault }] of after.columns) {
    if (before.columns.has(name) || !tables.has(name.split('.')[0])) continue;
    if (!nullable && !hasDefault) found.push(`${name} is new, and must be given`);
  }
  for (const index of after.unique) {
    if (!before.unique.has(index) && tables.has(index.split('.')[0])) found.push(`${index} is new`);
  }
  for (const index of before.unique) if (!after.unique.has(index)) found.push(`${index} is gone`);
  return found;
}

async function onDatabase<T>(work: (sequelize: Sequelize, url: string) => Promise<T>): Promise<T> {
  const url = await emptyDatabase();
  const database = openDatabase({ url, log, poolMax: 1 });
  try {
    return await work(database.sequelize, url);
  } finally {
    await database.close();
  }
}

test('each migration leaves the release before a schema that it can work on', async () => {
  const found = await onDatabase(async (sequelize, url) => {
    const all: Record<string, string[]> = {};
    let before: Schema = { columns: new Map(), unique: new Set() };
    for (const { name, up } of MIGRATIONS) {
      await up(sequelize);
      const after = await schemaOf(url);
      expect(after.columns.size, name).toBeGreaterThan(before.columns.size);
      all[name] = obstacles(before, after);
      before = after;
    }
    return all;
  });
  expect(found).toEqual(Object.fromEntries(MIGRATIONS.map(({ name }) => [name, []])));
});

test.each([
  ['DROP TABLE settlements', 'settlements.event_id is gone'],
  ['ALTER TABLE orders DROP COLUMN reason', 'orders.reason is gone'],
  ['ALTER TABLE orders CHANGE reason why VARCHAR(64) NULL', 'orders.reason is gone'],
  ['ALTER TABLE orders MODIFY reason VARCHAR(32) NULL', 'orders.reason was varchar(64)'],
  [
    "ALTER TABLE orders MODIFY reason VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''",
    'not any more',
  ],
  ['ALTER TABLE orders ADD COLUMN channel INT NOT NULL', 'orders.channel is new, and must be given'],
  ['ALTER TABLE orders ADD UNIQUE KEY once (event_id, buyer)', 'orders.once(event_id,buyer) is new'],
  ['ALTER TABLE orders DROP KEY orders_id', 'orders.orders_id(id) is gone'],
  ['ALTER TABLE orders ADD COLUMN channel INT NULL, ADD KEY more (event_id, channel)', undefined],
])('a migration that said "%s" would be noticed', async (statement, sentence) => {
  const found = await onDatabase(async (sequelize, url) => {
    for (const { up } of MIGRATIONS) await up(sequelize);
    const before = await schemaOf(url);
    await sequelize.query(statement);
    return obstacles(before, await schemaOf(url));
  });
  if (sentence === undefined) expect(found).toEqual([]);
  else expect(found.join('; ')).toContain(sentence);
});
