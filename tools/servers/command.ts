import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { COMMAND_TIMEOUT_MS } from './limits.ts';

export interface CommandResult {
  /** The exit code; 127 when the program could not be started, 124 when it took too long. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
}

/** Runs a program to its end. Never throws: what went wrong is in the result. */
export const runCommand = (command: string, args: readonly string[], options: CommandOptions = {}) =>
  new Promise<CommandResult>((resolve) => {
    const child = spawn(command, args, {
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? COMMAND_TIMEOUT_MS);
    const finish = (code: number) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    };
    child.on('error', (error) => {
      stderr += error.message;
      finish(127);
    });
    child.on('close', (code) => finish(timedOut ? 124 : (code ?? 1)));
  });

export const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** The first program of that name in the folders, or undefined. */
export const findProgram = (name: string, folders: readonly string[]): string | undefined =>
  folders.map((folder) => join(folder, name)).find(isExecutable);

/** PATH as a list, and the folders of system programs and of Go's installer, which an ordinary user's PATH may lack. */
export const searchPathOf = (path: string | undefined): string[] => {
  const named = (path ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return [
    ...new Set([...named, '/usr/local/sbin', '/usr/sbin', '/usr/local/bin', '/usr/bin', '/bin', '/usr/local/go/bin']),
  ];
};

/** Compares dotted versions by their numbers: atLeast('7.0.15', '7') is true. */
export const atLeast = (version: string, least: string): boolean => {
  const numbers = version.split(/[^0-9]+/).map(Number);
  for (const [index, wanted] of least.split('.').map(Number).entries()) {
    const have = numbers[index] ?? 0;
    if (have !== wanted) return have > wanted;
  }
  return true;
};
