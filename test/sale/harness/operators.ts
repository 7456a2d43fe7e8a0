import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { serviceSpecs } from '../../../cli/up/services.ts';
import { freePort } from '../../../operator/platform/host/free-port.ts';
import { stateFolder } from '../../../operator/platform/host/state-folder.ts';
import type { Stand } from './stand.ts';

/** An operator of the test's own. */
export interface Operator {
  exited: Promise<void>;
  isAlive(): boolean;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

export interface Operators {
  /**
   * Starts an operator that leads at once, whoever leads besides: it sees the same events and processes through a state
   * folder of its own, in which the lease is nobody's. `pods` is given to the pods that it starts.
   */
  start(environment?: Record<string, string>, pods?: Record<string, string>): Promise<Operator>;
  /** Starts one that leads when the lease of the release is free, as `seckill up --operators` does. */
  startInLine(): Promise<Operator>;
}

/** Call it at the top level of a test file, after stand(). */
export function operators(stand: Stand): Operators {
  const running: Operator[] = [];
  let count = 0;
  afterEach(async () => {
    await Promise.all(running.splice(0).map((operator) => operator.kill()));
  });

  return {
    start(environment = {}, pods = {}) {
      count += 1;
      return launch(viewOf(stand, `view-${count}`), environment, pods);
    },
    startInLine() {
      count += 1;
      return launch(stand.stateDir, {}, {});
    },
  };

  async function launch(
    state: string,
    environment: Record<string, string>,
    pods: Record<string, string>,
  ): Promise<Operator> {
    const { redis, kafka, mysql } = stand.release.endpoints();
    const settings = {
      ...{ folder: stateFolder(stand.stateDir), redisUrl: redis, mysqlUrl: mysql, brokers: kafka },
      ...{
        logLevel: 'info',
        replicationFactor: 1,
        environment: {
          operator: { ...stand.faults.environment.operator, ...environment },
          seckill: { ...stand.faults.environment.seckill, ...pods },
        },
      },
    };
    const [spec] = serviceSpecs('operator', 1, settings);
    if (spec === undefined) throw new Error('there is no way to start an operator');
    const { command, args, env, cwd } = await spec.launch(await freePort());
    const log = openSync(join(stand.dir, `operator-${count}.log`), 'a');
    const child = spawn(command, args, {
      ...{ cwd, stdio: ['ignore', log, log] as const },
      env: { ...env, SECKILL_STATE_DIR: state, SECKILL_INSTANCE: `operator-view-${count}` },
    });
    const operator = handleOf(child);
    running.push(operator);
    return operator;
  }
}

function viewOf(stand: Stand, name: string): string {
  const view = join(stand.dir, name);
  mkdirSync(view);
  const mine = stateFolder(view);
  const whole = stateFolder(stand.stateDir);
  for (const part of ['events', 'processes', 'logs', 'edge'] as const) {
    mkdirSync(whole[part], { recursive: true });
    symlinkSync(whole[part], mine[part]);
  }
  for (const part of ['notices', 'tokenKeys'] as const) symlinkSync(whole[part], mine[part]);
  return view;
}

function handleOf(child: ChildProcess): Operator {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  return {
    exited,
    isAlive,
    signal: (signal) => void child.kill(signal),
    async kill() {
      if (isAlive()) child.kill('SIGKILL');
      await exited;
    },
  };
}
