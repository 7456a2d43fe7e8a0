import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { serverOptions } from '../tools/servers/options.ts';
import { auditCommand } from './audit.ts';
import { deleteCommand } from './delete.ts';
import { demoCommand } from './demo.ts';
import { type Around, type ReadEnvironment, refuseUnusedVariables } from './environment.ts';
import { failureOf } from './failure.ts';
import { loadCommand } from './load.ts';
import { migrateCommand } from './migrate.ts';
import { preflightCommand } from './preflight.ts';
import { outliveReaders } from './signals.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { uninstallCheckCommand } from './uninstall-check.ts';
import type { FindServers } from './up/release-options.ts';
import { upCommand } from './up.ts';
import { watchCommand } from './watch.ts';

const servers: FindServers = (report) => {
  refuseUnusedVariables(process.env);
  return serverOptions(process.env, report);
};
const environment: ReadEnvironment = () => process.env;
const around: Around = { environment, plugin: process.env['SECKILL_KUBECTL_PLUGIN'] === 'true' };

const COMMANDS = [
  upCommand({ servers }),
  statusCommand(around),
  watchCommand(),
  deleteCommand(),
  tokenCommand(around),
  loadCommand(),
  auditCommand(around),
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
outliveReaders();
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
  const { code, sentence } = failureOf(error);
  if (sentence !== undefined) process.stderr.write(sentence);
  process.exitCode = code;
}
