import { hostname } from 'node:os';
import closeWithGrace from 'close-with-grace';
import { type Static, type TObject, Type } from 'typebox';
import { isSeckillError } from '../domain/errors.ts';
import { BASE_VARIABLES, type BaseConfig, loadConfig } from './config.ts';
import { createFaults, type Faults } from './fault-points.ts';
import { createHealth, type Health } from './health.ts';
import { STOP_DEADLINE_MS } from './limits.ts';
import { createLog, type Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';

/** Exit codes of a process: 0 after a stop that was asked for, 1 after something broke, 2 for a wrong configuration. */
const EXIT_BROKEN = 1;
const EXIT_CONFIG = 2;

export interface RunContext<Config> {
  config: Config;
  /** The name of this process for logs and consumers. */
  instance: string;
  log: Log;
  metrics: Metrics;
  health: Health;
  faults: Faults;
  /** Aborted when the process is told to stop. */
  signal: AbortSignal;
}

export interface RunOptions<T extends TObject> {
  role: string;
  /** The variables of this role; those of every process come with `BASE_VARIABLES`. */
  schema: T;
  start(context: RunContext<Static<T> & BaseConfig>): Promise<{ stop(): Promise<void> }>;
}

/**
 * The life of a process: configuration, start, then the signal, a stop with a deadline, and an exit code.
 * Errors that nobody caught and broken invariants end it at once: a process whose state is in doubt must not go on.
 */
export async function runProcess<T extends TObject>({ role, schema, start }: RunOptions<T>): Promise<void> {
  let config: Static<T> & BaseConfig;
  let faults: Faults;
  try {
    const whole = Type.Object({ ...BASE_VARIABLES, ...schema.properties });
    config = loadConfig(whole, process.env) as Static<T> & BaseConfig;
    faults = createFaults({ fault: config.SECKILL_FAULT, marker: config.SECKILL_FAULT_MARKER });
  } catch (error) {
    exitByConfig(role, error);
  }

  const instance = config.SECKILL_INSTANCE ?? `${hostname()}-${process.pid}`;
  const log = createLog({ role, instance, level: config.SECKILL_LOG_LEVEL });
  const metrics = createMetrics({ role });
  const health = createHealth();
  health.setReady('process', false, 'the process is starting');
  const stopping = new AbortController();
  let running: { stop(): Promise<void> } | undefined;

  closeWithGrace(
    { delay: STOP_DEADLINE_MS, logger: { error: (problem: unknown) => log.error({ problem }, 'the stop failed') } },
    async ({ err, signal }) => {
      if (err !== undefined) {
        log.fatal({ err }, 'the process is broken');
        return;
      }
      log.info({ signal }, 'stopping');
      health.setReady('process', false, 'the process is stopping');
      stopping.abort();
      await running?.stop();
      log.info('stopped');
    },
  );

  try {
    running = await start({ config, instance, log, metrics, health, faults, signal: stopping.signal });
  } catch (error) {
    // A start that was interrupted by the signal is not a failure; the stop above ends the process.
    if (stopping.signal.aborted) return;
    if (isSeckillError(error, 'SECKILL_ERR_CONFIG')) exitByConfig(role, error);
    log.fatal({ err: error }, 'the process did not start');
    process.exit(EXIT_BROKEN);
  }
  if (stopping.signal.aborted) return;
  health.setReady('process', true);
  log.info({ pid: process.pid }, 'started');
}

function exitByConfig(role: string, error: unknown): never {
  if (!isSeckillError(error, 'SECKILL_ERR_CONFIG')) throw error;
  for (const line of error.message.split('\n')) process.stderr.write(`seckill ${role}: ${line}\n`);
  process.exit(EXIT_CONFIG);
}
