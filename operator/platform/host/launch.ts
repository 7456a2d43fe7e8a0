import { spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { identify, type ProcessIdentity } from './proc.ts';

/** What to run. Nothing of our own environment is inherited. */
export interface Launch {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  stopSignal: 'SIGTERM' | 'SIGQUIT' | 'SIGINT';
  stopTimeoutMs: number;
}

export interface Launched {
  identity: ProcessIdentity | undefined;
  /** In words how it ended, once it has. */
  ended: Promise<string>;
}

/**
 * Starts a process that outlives us: its own session and group, its output straight into its log file. Throws when the
 * program cannot be started at all.
 */
export async function launchDetached(launch: Launch, nonce: string, logFile: string): Promise<Launched> {
  // A missing working directory would be reported as a missing program.
  statSync(launch.cwd);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(launch.command, launch.args, {
    cwd: launch.cwd,
    env: { ...launch.env, SECKILL_NONCE: nonce },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `it exited with ${code}` : `${signal} ended it`));
  });
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  child.unref();
  return { identity: child.pid === undefined ? undefined : identify(child.pid), ended };
}
