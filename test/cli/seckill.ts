import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** A run of the `seckill` command, as a person starts it. */
export interface Run {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code; -1 when a signal ended it. */
  ended: Promise<number>;
}

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Starts `seckill ARGS` in a folder. What still runs at the end of the test file is killed. */
export const createRunner = (): ((args: readonly string[], cwd: string) => Run) => {
  const running = new Set<ChildProcess>();
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
  });
  return (args, cwd) => {
    const { INIT_CWD: _npm, ...env } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const ended = new Promise<number>((resolve) => {
      child.once('close', (code) => {
        running.delete(child);
        resolve(code ?? -1);
      });
    });
    return { child, stdout: () => stdout, stderr: () => stderr, ended };
  };
};

/** Command lines of the living processes that name this folder in their command or their environment. */
export const processesOf = (folder: string): string[] =>
  readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      return command !== '' && `${command}\0${environment}`.includes(folder) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
