import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { READY_MAX_MS } from './limits.ts';

/*
 * The server that is measured has a core of its own; whoever asks, and Redis, have the other. Otherwise the numbers would
 * say how the kernel shared two cores among them, another way in every run.
 */
const ALLOWED = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';

/** The cores that this process may use, as it was started. */
export const CORES: readonly number[] = ALLOWED.split(',').flatMap((range) => {
  const [first = 0, last = first] = range.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
});
export const SERVER_CORE = CORES[0] ?? 0;
export const OTHER_CORE = CORES[1] ?? 0;

export interface Pinned {
  pid: number;
  child: ChildProcess;
  stop(): Promise<void>;
}

/** Starts a TypeScript file on one core. Its messages go through IPC; what it prints is thrown away. */
export function startPinned(core: number, file: URL, env: Record<string, string> = {}): Pinned {
  const child = spawn('taskset', ['-c', String(core), process.execPath, file.pathname], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error('taskset is missing: install util-linux');
  return {
    pid,
    child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), READY_MAX_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Moves a running process, with all its threads, to one core. */
export function pin(pid: number, core: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
}

/** Lets it run on all of our cores again. What it starts from then on inherits that. */
export function unpin(pid: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', ALLOWED, String(pid)], { stdio: 'ignore' });
}
