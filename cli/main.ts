import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { isSeckillError } from '../services/domain/errors.ts';
import { serverOptions } from '../tools/servers/options.ts';
import { auditCommand } from './audit.ts';
import { deleteCommand } from './delete.ts';
import { demoCommand } from './demo.ts';
import type { ReadEnvironment } from './environment.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { loadCommand } from './load.ts';
import { migrateCommand } from './migrate.ts';
import { preflightCommand } from './preflight.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { uninstallCheckCommand } from './uninstall-check.ts';
import type { FindServers } from './up/release-options.ts';
import { upCommand } from './up.ts';

const servers: FindServers = (report) => serverOptions(process.env, report);
const environment: ReadEnvironment = () => process.env;

const COMMANDS = [
  upCommand({ servers }),
  statusCommand(),
  deleteCommand(),
  tokenCommand(),
  loadCommand(),
  auditCommand(),
  demoCommand({ servers }),
  migrateCommand({ environment }),
  preflightCommand({ environment }),
  uninstallCheckCommand({ environment }),
];

/** npm runs scripts in the project's folder; paths are meant from where the command was typed. */
function goWhereTyped(): void {
  const typedIn = process.env['INIT_CWD'];
  const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
  if (typedIn !== undefined && process.cwd() === root) process.chdir(typedIn);
}

goWhereTyped();
const program = new Command('seckill')
  .description('flash sales that never oversell a unit and never lose an order')
  .addHelpText(
    'after',
    '\nExample:\n  $ seckill up -f examples/\n\nsee "seckill COMMAND --help" for options, exit codes and examples',
  );
for (const command of COMMANDS) program.addCommand(command);
// commander does not pass this on to commands that were made elsewhere.
for (const command of [program, ...program.commands]) command.exitOverride().showHelpAfterError();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.OK : EXIT_CODES.USAGE;
  } else if (isSeckillError(error)) {
    process.stderr.write(`seckill: ${error.message}\n`);
    process.exitCode = error.code === 'SECKILL_ERR_CONFIG' ? EXIT_CODES.USAGE : EXIT_CODES.FAILED;
  } else {
    process.stderr.write(`seckill: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_CODES.FAILED;
  }
}
