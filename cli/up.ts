import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { SeckillError } from '../services/domain/errors.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { wholeNumber } from './options.ts';
import { abortOnSignals, untilAborted } from './signals.ts';
import { stateOption } from './state.ts';
import { OPERATORS_MAX, ORDERS_MAX, RELAYS_MAX } from './up/limits.ts';
import { type Release, startRelease } from './up/release.ts';
import type { FindServers } from './up/release-options.ts';
import { followNotices, noticeLine } from './up/timeline.ts';

interface UpOptions {
  file: string[];
  state: string;
  operators: number;
  relays: number;
  orders: number;
  port?: number;
  json: boolean;
}

const NOTES = `
Redis, MariaDB, Kafka, nginx and Prometheus are found or fetched, and started in the folder of --state. To use servers of
your own, name them: SECKILL_REDIS_URL, SECKILL_MYSQL_URL (with a database), SECKILL_KAFKA_BROKERS.
Manifests are followed: a changed file changes its event, a file that vanishes deletes nothing (see "seckill delete").
Everything outlives this command when it is killed: run it again on the same folder, and it goes on where it was.

Exit codes: 0 stopped by Ctrl-C, 1 something could not be started, 2 wrong options or manifests.

Examples:
  $ seckill up -f examples/
  $ seckill up -f sale.yaml --state /tmp/sale --operators 2 --port 9000`;

export function upCommand({ servers }: { servers: FindServers }): Command {
  return new Command('up')
    .description(
      'runs the platform on this machine until Ctrl-C: servers, pods, operators, and the events of the manifests',
    )
    .requiredOption('-f, --file <path...>', 'manifests: files, or folders of *.yaml, *.yml and *.json')
    .addOption(stateOption())
    .option('--operators <n>', 'operators, of which one leads', wholeNumber(1, OPERATORS_MAX, 2), 1)
    .option('--relays <n>', 'relays', wholeNumber(1, RELAYS_MAX, 2), 2)
    .option('--orders <n>', 'order consumers', wholeNumber(1, ORDERS_MAX, 1), 1)
    .option('--port <n>', 'port of the sale; by default 8080, or a free one', wholeNumber(1, 65_535, 9_000))
    .option('--json', 'print notices as JSON lines', false)
    .addHelpText('after', NOTES)
    .action((options: UpOptions) => up(options, servers));
}

async function up(options: UpOptions, servers: FindServers): Promise<void> {
  const { file, state, operators, relays, orders, port, json } = options;
  const missing = file.filter((path) => !existsSync(path));
  if (missing.length > 0) throw new SeckillError('SECKILL_ERR_CONFIG', `There is no ${missing.join(', no ')}.`);
  using stopping = abortOnSignals();
  const { signal } = stopping;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const startedAtMs = performance.now();
  // The first phases come while the last processes still start.
  const over = new AbortController();
  const following = followNotices(
    state,
    (notice) => process.stdout.write(`${json ? JSON.stringify(notice) : noticeLine(notice)}\n`),
    over.signal,
  );
  let release: Release;
  try {
    release = await startRelease({
      ...{ stateDir: state, manifests: file, operators, relays, orders, servers, log: say, signal, prometheus: true },
      ...(port === undefined ? {} : { port }),
    });
  } catch (error) {
    over.abort();
    if (!signal.aborted) throw error;
    process.exitCode = EXIT_CODES.INTERRUPTED;
    return;
  }
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  const { sale, prometheus } = release.endpoints();
  say(`The platform runs (after ${seconds} s). The sale: ${sale} — Ctrl-C stops everything.`);
  if (prometheus !== undefined) say(`Prometheus, with the rules and alerts of the platform: ${prometheus}`);
  await untilAborted(signal);
  say('Stopping …');
  await release.stop();
  over.abort();
  await following;
}
