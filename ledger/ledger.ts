import { createAudit, type LedgerAudit } from './audit.ts';
import { type DatabaseOptions, openDatabase } from './database.ts';
import { createEvents, type Events } from './events.ts';
import { STORING_MAX_CONNECTIONS } from './limits.ts';
import { pendingMigrations } from './migrate.ts';
import { defineModels } from './models.ts';
import { createOrders, type Orders } from './orders.ts';
import { finishRecovery, type RecoveryView } from './recovery.ts';
import { createReturns, type Returns } from './returns.ts';

/** Facts for the operator's checks. */
export interface LedgerFacts {
  version: string;
  flavour: 'MariaDB' | 'MySQL';
  /** Whether a value that does not fit is refused on our connections, rather than cut. */
  strict: boolean;
  /** Names of the migrations that are missing; empty when the schema is up to date. */
  pendingMigrations: string[];
}

export interface Ledger {
  events: Events & {
    finishRecovery(
      eventId: string,
      generation: number,
      body: (view: RecoveryView) => Promise<{ runs: string[] } | undefined>,
    ): Promise<boolean>;
  };
  orders: Orders;
  returns: Returns;
  audit: LedgerAudit;
  /** Answers when the database does; throws SECKILL_ERR_UNAVAILABLE after a few attempts otherwise. */
  ping(): Promise<LedgerFacts>;
  /** Threads of the database server. */
  threads(): Promise<{ connected: number; running: number }>;
  close(): Promise<void>;
}

/** The durable truth, in the database that `url` names (`mysql://user:password@host:port/database`). */
export function createLedger(options: DatabaseOptions): Ledger {
  const database = openDatabase(options);
  // Connections of its own: whoever asks for orders never stands in the way of those who store them.
  const storing = openDatabase({ ...options, poolMax: STORING_MAX_CONNECTIONS, scripts: true });
  const models = defineModels(database.sequelize);
  return {
    events: {
      ...createEvents(database, models),
      finishRecovery: (eventId, generation, body) => finishRecovery(database, eventId, generation, body),
    },
    orders: createOrders({ database, storing, models }),
    returns: createReturns(database),
    audit: createAudit(database),
    async ping() {
      const [row] = await database.rows('asking the ledger', 'SELECT VERSION() AS version, @@SESSION.sql_mode AS mode');
      const version = String(row?.['version']);
      return {
        version,
        flavour: version.includes('MariaDB') ? 'MariaDB' : 'MySQL',
        strict: String(row?.['mode']).includes('STRICT_ALL_TABLES'),
        pendingMigrations: await database.read('reading the schema', () => pendingMigrations(database.sequelize)),
      };
    },
    async threads() {
      const sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running')";
      const rows = await database.rows('asking the database for its threads', sql);
      const of = (name: string) => Number(rows.find((row) => row['Variable_name'] === name)?.['Value'] ?? 0);
      return { connected: of('Threads_connected'), running: of('Threads_running') };
    },
    async close() {
      await Promise.all([database.close(), storing.close()]);
    },
  };
}
