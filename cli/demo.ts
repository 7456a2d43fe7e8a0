import { join } from 'node:path';
import { Command } from 'commander';

import { TOTAL_UNITS_MAX } from '../services/domain/limits.ts';
import { colorsOf } from './colors.ts';
import {
  DEMO_BUYERS_DEFAULT,
  DEMO_PODS_DEFAULT,
  DEMO_PODS_MAX,
  DEMO_RATE_DEFAULT,
  DEMO_UNITS_DEFAULT,
} from './demo/limits.ts';
import { type DemoOptions, runDemo } from './demo/run.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { LOAD_BUYERS_MAX, LOAD_RATE_MAX_PER_SECOND, SEED_MAX } from './load/limits.ts';
import { wholeNumber } from './options.ts';
import { createDisplay } from './progress.ts';
import { renderReport } from './report/render.ts';
import { abortOnSignals } from './signals.ts';
import { DEFAULT_STATE_DIR } from './state.ts';
import type { FindServers } from './up/release-options.ts';

const EXAMPLES = `
Starts real servers in a folder of its own, applies a SeckillEvent, lets the buyers in at the opening second, waits until
every order is in the ledger, audits, and ends with a report. Nothing is left running.

Exit codes: 0 the sale was exact, 3 it was not, 1 it could not be played, 2 wrong options, 130 Ctrl-C.

Examples:
  $ npm run demo
  $ npm run demo -- --buyers 50000 --units 200 --pods 4
  $ npm run demo -- --keep          the platform stays until Ctrl-C, for "seckill audit shop/phone-x --state …"`;

export function demoCommand({ servers }: { servers: FindServers }): Command {
  return new Command('demo')
    .description('plays a whole sale on this machine, with real Redis, Kafka and MariaDB, and ends with a report')
    .option('--buyers <n>', 'buyers', wholeNumber(1, LOAD_BUYERS_MAX, DEMO_BUYERS_DEFAULT), DEMO_BUYERS_DEFAULT)
    .option('--units <n>', 'units on sale', wholeNumber(1, TOTAL_UNITS_MAX, DEMO_UNITS_DEFAULT), DEMO_UNITS_DEFAULT)
    .option('--pods <n>', 'seckill processes', wholeNumber(1, DEMO_PODS_MAX, DEMO_PODS_DEFAULT), DEMO_PODS_DEFAULT)
    .option(
      '--rate <n>',
      'buyers a second',
      wholeNumber(1, LOAD_RATE_MAX_PER_SECOND, DEMO_RATE_DEFAULT),
      DEMO_RATE_DEFAULT,
    )
    .option('--seed <n>', 'draws the order of the buyers', wholeNumber(0, SEED_MAX, 7), 1)
    .option('--keep', 'leave the platform running after the report, until Ctrl-C', false)
    .option('--out <dir>', 'folder of report.json, report.html and of the state', join(DEFAULT_STATE_DIR, 'demo'))
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action((options: DemoOptions & { json: boolean }) => demo(options, servers));
}

async function demo({ json, ...options }: DemoOptions & { json: boolean }, servers: FindServers): Promise<void> {
  const display = createDisplay({ stream: process.stderr, quiet: json });
  using stop = abortOnSignals();
  try {
    const report = await runDemo(options, {
      display,
      servers,
      signal: stop.signal,
      onReport: (made, files) => {
        process.stdout.write(
          json ? `${JSON.stringify(made, null, 2)}\n` : renderReport(made, colorsOf(process.stdout)),
        );
        display.line(`The report is in ${files.report}, and to be looked at in ${files.page}`);
      },
    });
    process.exitCode = report.exact ? EXIT_CODES.OK : EXIT_CODES.NO;
  } catch (error) {
    // What Ctrl-C breaks off is no failure, whatever it threw; everything was stopped on the way here.
    if (!stop.signal.aborted) throw error;
    process.exitCode = EXIT_CODES.INTERRUPTED;
  }
}
