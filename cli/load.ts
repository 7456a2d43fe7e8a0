import { Command, Option } from 'commander';

import { UNITS_PER_BUYER_MAX } from '../services/domain/limits.ts';
import { colorsOf } from './colors.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { Arrivals } from './load/arrivals.ts';
import {
  LOAD_BUYERS_MAX,
  LOAD_CONNECTIONS_DEFAULT,
  LOAD_CONNECTIONS_MAX,
  LOAD_RATE_MAX_PER_SECOND,
  LOAD_RETRIES_DEFAULT,
  LOAD_RETRIES_MAX,
  LOAD_WORKERS_MAX,
  SEED_MAX,
} from './load/limits.ts';
import type { LoadResult } from './load/result.ts';
import { prepareLoad } from './load/run.ts';
import { baseUrl, eventArgument, wholeNumber } from './options.ts';
import { createDisplay } from './progress.ts';
import { renderLoad } from './report/render.ts';
import { readSale } from './sale.ts';
import { abortOnSignals } from './signals.ts';
import { requireEndpoints, requireTokenKeys, stateOption } from './state.ts';
import { admit } from './tokens.ts';

interface LoadOptions {
  buyers: number;
  rate?: number;
  burst?: boolean;
  units: number;
  retries: number;
  connections: number;
  workers: number;
  seed: number;
  atStart?: boolean;
  state: string;
  url?: string;
  json?: boolean;
}

const EXAMPLES = `
Buyers come by the clock, however slow the answers are (open model). Latency runs from the intended start.

Exit codes: 0 every buyer has a definite answer, 3 somebody has none, 1 it could not be played, 2 wrong options, 130 Ctrl-C.

Examples:
  $ seckill load shop/phone-x --buyers 20000 --burst
  $ seckill load shop/phone-x --buyers 20000 --rate 4000 --at-start
  $ seckill load shop/phone-x --buyers 500 --rate 100 --units 2 --json`;

export function loadCommand(): Command {
  return new Command('load')
    .description('plays buyers against a sale and says what they were answered, and how fast')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .option('--buyers <n>', 'how many buyers', wholeNumber(1, LOAD_BUYERS_MAX, 1_000), 1_000)
    .addOption(
      new Option('--rate <n>', 'buyers a second, constant (default: --burst)')
        .argParser(wholeNumber(1, LOAD_RATE_MAX_PER_SECOND, 2_000))
        .conflicts('burst'),
    )
    .option('--burst', 'all buyers at once')
    .option('--units <n>', 'units that each asks for', wholeNumber(1, UNITS_PER_BUYER_MAX, 1), 1)
    .option('--retries <n>', 'requests after the first one', wholeNumber(0, LOAD_RETRIES_MAX, 6), LOAD_RETRIES_DEFAULT)
    .option(
      '--connections <n>',
      'connections at most; buyers beyond them wait in line',
      wholeNumber(1, LOAD_CONNECTIONS_MAX, 128),
      LOAD_CONNECTIONS_DEFAULT,
    )
    .option('--workers <n>', 'threads that play', wholeNumber(1, LOAD_WORKERS_MAX, 1), 1)
    .option(
      '--seed <n>',
      "draws the buyers' names, their order and the spread of retries",
      wholeNumber(0, SEED_MAX, 7),
      1,
    )
    .option('--at-start', 'wait for the start of the sale; by default it begins at once')
    .addOption(stateOption())
    .option('--url <url>', 'base URL of the sale; by default the one of the state folder', baseUrl)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(load);
}

async function load(event: { namespace: string; name: string }, options: LoadOptions): Promise<void> {
  const display = createDisplay({ stream: process.stderr, quiet: options.json === true });
  const url = options.url ?? (await requireEndpoints(options.state)).sale;
  const keys = requireTokenKeys(options.state);
  const sale = await readSale(url, event);
  const nowMs = Date.now();
  const arrivals: Arrivals = options.rate === undefined ? { kind: 'burst' } : { kind: 'rate', perSecond: options.rate };
  const { buyers: count, units, retries, connections, workers, seed } = options;
  const buyers = admit(keys, sale, { count, nowMs, prefix: `load-${seed}` });
  using stop = abortOnSignals();
  const result = await display.bar('answered', count, async (update) => {
    const ready = await prepareLoad(
      { url, ...event, units, buyers, arrivals, retries, connections, workers, seed },
      { signal: stop.signal, onProgress: ({ answered, held }) => update(answered, `${held} won`) },
    );
    return ready.play(options.atStart === true ? sale.startMs : Date.now());
  });
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify(withoutNames(result), null, 2)}\n`
      : renderLoad(result, colorsOf(process.stdout)),
  );
  if (stop.signal.aborted) process.exitCode = EXIT_CODES.INTERRUPTED;
  else if (result.answers.unknown + result.answers.failed > 0) process.exitCode = EXIT_CODES.NO;
}

/** The result without its lists of people, which may be long; their counts are in it. */
function withoutNames({ winners: _winners, unknownBuyers: _unknown, ...rest }: LoadResult): object {
  return rest;
}
