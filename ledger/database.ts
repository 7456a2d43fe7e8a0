import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2';
import { Sequelize } from 'sequelize';
import { SeckillError } from '../services/domain/errors.ts';
import type { Log } from '../services/kit/log.ts';
import { failureKind } from './failures.ts';
import {
  CONNECT_TIMEOUT_MS,
  KEEP_ALIVE_DELAY_MS,
  LOCK_WAIT_TIMEOUT_SECONDS,
  POOL_ACQUIRE_TIMEOUT_MS,
  POOL_IDLE_MS,
  POOL_MAX_CONNECTIONS,
  STATEMENT_TIMEOUT_MS,
  TRANSACTION_MAX_ATTEMPTS,
  TRANSACTION_RETRY_BASE_MS,
  TRANSACTION_RETRY_MAX_MS,
} from './limits.ts';

/** A value that a statement can carry. Nested arrays are the rows of `VALUES ?` or the list of `IN (?)`. */
export type SqlValue = string | number | null | boolean | SqlVariable | SqlValue[];
export type SqlRow = Record<string, unknown>;

/** A variable of the database session, which a statement before set. */
export interface SqlVariable {
  toSqlString(): string;
}

export function sqlVariable(name: `@${string}`): SqlVariable {
  return { toSqlString: () => name };
}

/** One connection, for the length of one transaction or of one statement. */
export interface Session {
  rows(sql: string, values?: SqlValue[]): Promise<SqlRow[]>;
  /** How many rows the statement's WHERE matched (not: how many it changed), or how many rows it inserted. */
  write(sql: string, values?: SqlValue[]): Promise<number>;
  /**
   * Statements in one message: the server goes from one to the next without waiting for us, up to the first that fails.
   * An answer each: rows, or the number that `write` gives. Only where the database was opened for scripts.
   */
  script(statements: readonly (readonly [sql: string, values: SqlValue[]])[]): Promise<(SqlRow[] | number)[]>;
}

/** What the body of a transaction answers when nothing of it may stay. */
export const ROLL_BACK = Symbol('roll back');

export interface Database {
  sequelize: Sequelize;
  /** One statement outside of a transaction, tried again when the connection was lost. */
  rows(what: string, sql: string, values?: SqlValue[]): Promise<SqlRow[]>;
  write(what: string, sql: string, values?: SqlValue[]): Promise<number>;
  /** A read through a model, tried again in the same way. */
  read<T>(what: string, query: () => Promise<T>): Promise<T>;
  /**
   * Runs `body` in a transaction, READ COMMITTED. After a deadlock, a lock wait or a lost connection the whole body runs
   * again, a bounded number of times, then SECKILL_ERR_UNAVAILABLE is thrown. So the body must be harmless the second
   * time, even when the first one was committed. `retry: false` lets the first failure out as it is. Nothing stays of
   * what a body wrote that answers ROLL_BACK.
   */
  transaction<T>(what: string, body: (session: Session) => Promise<T>, options?: { retry: boolean }): Promise<T>;
  /** The same for reads that must all see one instant. */
  snapshot<T>(what: string, body: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Strict, and without NO_BACKSLASH_ESCAPES, on which the driver's escaping of values relies. */
const SQL_MODE =
  'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY';

const SESSION_SETTINGS = [
  `SET SESSION sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${LOCK_WAIT_TIMEOUT_SECONDS}`,
  // Set, never read: MariaDB and MySQL give the variable different names.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

const BEGIN = ['START TRANSACTION'];
const BEGIN_SNAPSHOT = [
  // For the next transaction only.
  'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
];

export interface DatabaseOptions {
  url: string;
  /** PEM. With it the connection is encrypted, and the certificate and the name of the server are checked. */
  ca?: string;
  log: Log;
  poolMax?: number;
  /** Whether sessions may send scripts. Elsewhere a message is one statement, whatever a value might smuggle into it. */
  scripts?: boolean;
  /** Told of each transaction or statement that is tried again, with why. */
  onRetry?: (kind: 'conflict' | 'lost') => void;
}

export function openDatabase(options: DatabaseOptions): Database {
  const { log } = options;
  const sequelize = createSequelize(options);
  const pool = sequelize.connectionManager;

  async function withConnection<T>(body: (session: Session, connection: Connection) => Promise<T>): Promise<T> {
    const connection = (await pool.getConnection({ type: 'write', useMaster: true })) as Connection;
    try {
      const result = await body(sessionOf(connection), connection);
      pool.releaseConnection(connection);
      return result;
    } catch (error) {
      if (failureKind(error) === 'lost' || !(await rolledBack(connection))) {
        connection.destroy();
        await pool.destroyConnection(connection);
      } else {
        pool.releaseConnection(connection);
      }
      throw error;
    }
  }

  async function again<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let number = 1; ; number += 1) {
      try {
        return await attempt();
      } catch (error) {
        const kind = failureKind(error);
        if (kind !== 'conflict' && kind !== 'lost') throw error;
        if (number === TRANSACTION_MAX_ATTEMPTS) throw unavailable(what, error);
        options.onRetry?.(kind);
        log.warn({ what, kind, attempt: number, err: error }, 'a statement of the ledger is tried again');
        await delay(retryDelayMs(number));
      }
    }
  }

  async function transact<T>(body: (session: Session) => Promise<T>, begin = BEGIN): Promise<T> {
    return withConnection(async (session) => {
      for (const statement of begin) await session.write(statement);
      const result = await body(session);
      await session.write(result === ROLL_BACK ? 'ROLLBACK' : 'COMMIT');
      return result;
    });
  }

  return {
    sequelize,
    rows: (what, sql, values) => again(what, () => withConnection((session) => session.rows(sql, values))),
    write: (what, sql, values) => again(what, () => withConnection((session) => session.write(sql, values))),
    read: again,
    transaction: (what, body, { retry } = { retry: true }) =>
      retry ? again(what, () => transact(body)) : transact(body),
    snapshot: (what, body) => again(what, () => transact(body, BEGIN_SNAPSHOT)),
    close: () => sequelize.close(),
  };
}

function unavailable(what: string, cause: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_UNAVAILABLE', `${what}: the ledger's database is away`, { cause });
}

/** As the driver wants it: without `verifyIdentity` any server with a certificate of this authority would do. */
export function tlsOf(ca: string | undefined): { ssl?: { ca: string; verifyIdentity: boolean } } {
  return ca === undefined ? {} : { ssl: { ca, verifyIdentity: true } };
}

function createSequelize({ url, ca, poolMax = POOL_MAX_CONNECTIONS, scripts = false }: DatabaseOptions): Sequelize {
  const sequelize = new Sequelize(url, {
    dialect: 'mysql',
    logging: false,
    timezone: '+00:00',
    define: { timestamps: false, freezeTableName: true },
    pool: { max: poolMax, min: 0, idle: POOL_IDLE_MS, acquire: POOL_ACQUIRE_TIMEOUT_MS },
    dialectOptions: {
      // Sequelize takes FOUND_ROWS away; with it, `affectedRows` says how many rows a condition matched, which is what
      // every conditional update of the ledger asks, and is the same when an update is repeated.
      flags: ['+FOUND_ROWS'],
      ...tlsOf(ca),
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      multipleStatements: scripts,
    },
  });
  sequelize.addHook('afterConnect', 'session-settings', async (raw: unknown) => {
    const connection = raw as Connection;
    try {
      for (const statement of SESSION_SETTINGS) await sessionOf(connection).write(statement);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  });
  return sequelize;
}

type Answer = RowDataPacket[] | ResultSetHeader;

function sessionOf(connection: Connection): Session {
  return {
    rows: async (sql, values) => {
      const result = await send<Answer>(connection, sql, values);
      assert(Array.isArray(result), 'a statement that reads must answer with rows');
      return result as SqlRow[];
    },
    write: async (sql, values) => {
      const result = await send<Answer>(connection, sql, values);
      assert(!Array.isArray(result), 'a statement that writes must not answer with rows');
      return result.affectedRows;
    },
    script: async (statements) => {
      const sql = statements.map(([one]) => one).join(';\n');
      const values = statements.flatMap(([, some]) => some);
      const answers = await send<Answer[]>(connection, sql, values);
      assert(
        Array.isArray(answers) && answers.length === statements.length,
        'every statement of a script has an answer',
      );
      return answers.map((answer) => (Array.isArray(answer) ? answer : answer.affectedRows));
    },
  };
}

function send<T extends Answer | Answer[]>(connection: Connection, sql: string, values: SqlValue[] = []): Promise<T> {
  return new Promise((resolve, reject) => {
    connection.query<Answer>({ sql, values, timeout: STATEMENT_TIMEOUT_MS }, (error, result) =>
      error === null ? resolve(result as T) : reject(error),
    );
  });
}

/** A connection goes back to the pool only when the server has confirmed that no transaction is open on it. */
async function rolledBack(connection: Connection): Promise<boolean> {
  try {
    await send(connection, 'ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

/** Exponential with full jitter, so that two who met in a deadlock do not meet again. */
function retryDelayMs(attempt: number): number {
  const ceiling = Math.min(TRANSACTION_RETRY_MAX_MS, TRANSACTION_RETRY_BASE_MS * 2 ** attempt);
  return ceiling * (0.25 + 0.75 * Math.random());
}
