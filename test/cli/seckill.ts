import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { eventually } from '../support/eventually.ts';

/** A run of the `seckill` command, as a person starts it. */
export interface Run {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code; -1 when a signal ended it. */
  ended: Promise<number>;
}

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Starts `seckill ARGS` in this folder. What works in it at the end of a test, a whole platform too, is killed. */
export const createRunner = (folder: string): ((args: readonly string[], env?: Record<string, string>) => Run) => {
  const running = new Set<ChildProcess>();
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    // Until none is left: an operator may have started another pod meanwhile.
    await eventually(() => {
      const left = processesOf(folder).map((found) => Number.parseInt(found, 10));
      for (const pid of left) killIfThere(pid);
      return left.length === 0;
    });
  });
  return (args, more = {}) => {
    const { INIT_CWD: _npm, ...env } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], {
      ...{ cwd: folder, env: { ...env, ...more } },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
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

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself since it was seen.
  }
}

/** Pid and command of the living processes that work in this folder, or name it in their command or environment. */
export const processesOf = (folder: string): string[] =>
  readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      return command !== '' && `${command}\0${environment}\0${cwd}`.includes(folder) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
