import { spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { findProgram, isExecutable } from './command.ts';
import { setupError } from './errors.ts';

/** What to launch; who launches it (a test, or the platform on a host) is another matter. */
export interface LaunchSpec {
  name: string;
  /** Absolute path of the program. */
  command: string;
  args: string[];
  /** The whole environment of the process; nothing is inherited. */
  env: Record<string, string>;
  cwd: string;
  stopSignal: 'SIGTERM' | 'SIGQUIT' | 'SIGINT';
  stopTimeoutMs: number;
}

export interface RunningServer {
  pid: number;
  /** Asks it to stop, kills its group when it does not in time. Resolves when it is gone. */
  stop(): Promise<void>;
  /** To the whole process group, so that workers of a master are reached. */
  kill(signal: NodeJS.Signals): void;
  /** The exit code, null when a signal ended it. Never rejects. */
  exited: Promise<number | null>;
}

const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: it is gone already, which is what was wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
};

/**
 * Lets the kernel end the server when our process ends, however it ends. A master with workers (the ones that stop by
 * SIGQUIT: nginx) gets SIGTERM, since its workers would outlive a killed master.
 */
const boundToUs = (spec: LaunchSpec): { command: string; args: string[] } | undefined => {
  if (process.platform !== 'linux') return undefined;
  const setpriv = findProgram('setpriv', ['/usr/bin', '/bin']);
  if (setpriv === undefined) return undefined;
  const signal = spec.stopSignal === 'SIGQUIT' ? 'TERM' : 'KILL';
  return { command: setpriv, args: ['--pdeathsig', signal, '--', spec.command, ...spec.args] };
};

/**
 * Starts a server in a process group of its own, its output appended to `logFile`. It is ended with our process.
 * Resolves when the process exists; whether it answers, and whether it is ours that answers, is asked separately.
 */
export const launch = async (spec: LaunchSpec, logFile: string): Promise<RunningServer> => {
  if (!isExecutable(spec.command)) throw setupError(`${spec.name} cannot be started: ${spec.command} is no program.`);
  // A missing working directory would be reported as a missing program.
  statSync(spec.cwd);
  const bound = boundToUs(spec);
  const { command, args } = bound ?? spec;
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { cwd: spec.cwd, env: spec.env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const pid = child.pid;
  if (pid === undefined) throw setupError(`${spec.name} did not start.`);
  if (bound === undefined) {
    const end = () => signalGroup(pid, 'SIGKILL');
    process.once('exit', end);
    void exited.then(() => process.removeListener('exit', end));
  }
  return {
    pid,
    exited,
    kill: (signal) => signalGroup(pid, signal),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(spec.stopSignal);
      // A paused process would take the signal only when it goes on.
      child.kill('SIGCONT');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), spec.stopTimeoutMs);
      await exited;
      clearTimeout(timer);
    },
  };
};
