import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { isAway } from '../ledger/failures.ts';
import { migrate } from '../ledger/migrate.ts';
import { messageOf } from '../operator/effects/message.ts';
import { isSeckillError, SeckillError } from '../services/domain/errors.ts';
import { createLog } from '../services/kit/log.ts';
import type { MysqlServer } from '../services/kit/servers.ts';
import { mysqlOf, type ReadEnvironment } from './environment.ts';
import { MIGRATE_RETRY_MS, MIGRATE_WAIT_MAX_SECONDS, MIGRATE_WAIT_SECONDS } from './limits.ts';
import { wholeNumber } from './options.ts';

const NOTES = `
The database is named by SECKILL_MYSQL_URL and SECKILL_MYSQL_CA_FILE. It is made when it is missing and the user may. One
that is away is waited for; a wrong password is not. Several may migrate at once: one works, the others wait for it.

Migrations only add: the processes of the release before work on the new schema until they are replaced.

Exit codes: 0 the schema is up to date, 1 it is not, 2 wrong options or variables.

Example:
  $ SECKILL_MYSQL_URL=mysql://seckill:secret@db:3306/seckill seckill migrate`;

export function migrateCommand({ environment }: { environment: ReadEnvironment }): Command {
  return new Command('migrate')
    .description("brings the schema of the ledger's database up to date")
    .option(
      '--wait <seconds>',
      'how long to wait for a database that is away',
      wholeNumber(0, MIGRATE_WAIT_MAX_SECONDS, 60),
      MIGRATE_WAIT_SECONDS,
    )
    .option('--json', 'print { "migrated": [...] }', false)
    .addHelpText('after', NOTES)
    .action(async ({ wait, json }: { wait: number; json: boolean }) => {
      const migrated = await migrateWhenThere(mysqlOf(environment()), wait * 1_000);
      const text = migrated.length === 0 ? 'the schema is up to date' : `migrated: ${migrated.join(', ')}`;
      process.stdout.write(json ? `${JSON.stringify({ migrated })}\n` : `${text}\n`);
    });
}

async function migrateWhenThere(server: MysqlServer, waitMs: number): Promise<string[]> {
  const log = createLog({ role: 'cli', instance: `cli-${process.pid}`, level: 'silent' });
  const untilMs = performance.now() + waitMs;
  for (let said = ''; ; ) {
    try {
      return await migrate({ ...server, log });
    } catch (error) {
      if (isSeckillError(error, 'SECKILL_ERR_CONFIG')) throw error;
      if (!isAway(error) || performance.now() + MIGRATE_RETRY_MS > untilMs) throw notMigrated(error);
      const why = messageOf(error);
      if (why !== said) process.stderr.write(`waiting for the database: ${why}\n`);
      said = why;
      await delay(MIGRATE_RETRY_MS);
    }
  }
}

function notMigrated(cause: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_UNAVAILABLE', `The schema was not migrated: ${messageOf(cause)}`, { cause });
}
