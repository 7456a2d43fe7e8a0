import { createHash } from 'node:crypto';
import type { RowDataPacket } from 'mysql2';
import { type Connection, createConnection } from 'mysql2/promise';
import type { Sequelize } from 'sequelize';
import { SequelizeStorage, Umzug } from 'umzug';
import { SeckillError } from '../services/domain/errors.ts';
import type { Log } from '../services/kit/log.ts';
import { openDatabase, tlsOf } from './database.ts';
import { CONNECT_TIMEOUT_MS, MIGRATION_LOCK_WAIT_SECONDS } from './limits.ts';
import { up as ledger0001 } from './migrations/0001-ledger.ts';
import { up as audits0002 } from './migrations/0002-audits.ts';

/**
 * In the order in which they run. A migration that was released is never edited; the next one changes what it made. They
 * only add: a column that is new in a table is nullable or has a default, nothing is dropped, renamed or narrowed. So the
 * release before works on the new schema while its processes are replaced one by one.
 */
export const MIGRATIONS: readonly { name: string; up(sequelize: Sequelize): Promise<void> }[] = [
  { name: '0001-ledger', up: ledger0001 },
  { name: '0002-audits', up: audits0002 },
];

export interface MigrateOptions {
  url: string;
  /** See DatabaseOptions. */
  ca?: string;
  log: Log;
}

const MIGRATIONS_TABLE = 'schema_migrations';
const UNKNOWN_DATABASE = 1049;

/**
 * Brings the schema up to date, and creates the database when it is missing and the user may. Several processes may do
 * so at once: one works, under the server's named lock, and the others find nothing left to do. Answers the names of the
 * migrations that it ran.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const name = databaseName(options.url);
  const guard = await connectOrCreate(options, name);
  const lock = `seckill-migrate-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  try {
    const [rows] = await guard.query<RowDataPacket[]>('SELECT GET_LOCK(?, ?) AS got', [
      lock,
      MIGRATION_LOCK_WAIT_SECONDS,
    ]);
    if (rows[0]?.['got'] !== 1) {
      throw new SeckillError('SECKILL_ERR_UNAVAILABLE', `migrating ${name}: another process holds the migration lock`);
    }
    const migrated = await runPending(options);
    await guard.query('SELECT RELEASE_LOCK(?)', [lock]);
    return migrated;
  } finally {
    guard.destroy();
  }
}

/** Names of the migrations that this database lacks. */
export async function pendingMigrations(sequelize: Sequelize): Promise<string[]> {
  const tables = await sequelize.getQueryInterface().showAllTables();
  if (!tables.some((table) => String(table) === MIGRATIONS_TABLE)) return MIGRATIONS.map(({ name }) => name);
  const done = new Set(await storageOf(sequelize).executed());
  return MIGRATIONS.map(({ name }) => name).filter((name) => !done.has(name));
}

async function runPending({ log, ...server }: MigrateOptions): Promise<string[]> {
  const database = openDatabase({ ...server, log, poolMax: 1 });
  try {
    const { sequelize } = database;
    const umzug = new Umzug({
      migrations: MIGRATIONS.map(({ name, up }) => ({ name, up: () => up(sequelize) })),
      storage: storageOf(sequelize),
      logger: undefined,
    });
    const migrated = (await umzug.up()).map(({ name }) => name);
    for (const name of migrated) log.info({ migration: name }, 'the schema was migrated');
    return migrated;
  } finally {
    await database.close();
  }
}

function storageOf(sequelize: Sequelize): SequelizeStorage {
  return new SequelizeStorage({ sequelize, modelName: MIGRATIONS_TABLE, tableName: MIGRATIONS_TABLE });
}

function databaseName(url: string): string {
  const name = URL.canParse(url) ? decodeURIComponent(new URL(url).pathname.slice(1)) : '';
  if (name === '') throw new SeckillError('SECKILL_ERR_CONFIG', 'The URL of the ledger names no database.');
  return name;
}

async function connectOrCreate({ url, ca, log }: MigrateOptions, name: string): Promise<Connection> {
  const settings = { ...tlsOf(ca), connectTimeout: CONNECT_TIMEOUT_MS };
  try {
    return await createConnection({ uri: url, ...settings });
  } catch (error) {
    if (!(error instanceof Error) || (error as Error & { errno?: unknown }).errno !== UNKNOWN_DATABASE) throw error;
  }
  const bare = new URL(url);
  bare.pathname = '/';
  const creator = await createConnection({ uri: bare.href, ...settings });
  try {
    await creator.query('CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', [name]);
    log.info({ database: name }, 'the database of the ledger was created');
  } finally {
    creator.destroy();
  }
  return createConnection({ uri: url, ...settings });
}
