import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { findHelm } from '../../tools/kubernetes/helm.ts';
import { findKubectl } from '../../tools/kubernetes/programs.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { messageOf } from '../../tools/servers/errors.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { COMMAND_TIMEOUT_MS, POLL_INTERVAL_MS, QUOTE_MAX_CHARS } from './limits.ts';

/** Runs a program to its end; throws what it said when it fails. Answers its output. */
export const must = async (command: string, args: readonly string[], env?: Record<string, string>): Promise<string> => {
  const options = { timeoutMs: COMMAND_TIMEOUT_MS, ...(env === undefined ? {} : { env }) };
  const { code, stdout, stderr } = await runCommand(command, args, options);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${`${stdout}${stderr}`.slice(-QUOTE_MAX_CHARS)}`);
};

/** Asks until it is so; at the deadline throws what was seen last. An API server that is slow for once is asked again. */
export const until = async (
  what: string,
  timeoutMs: number,
  look: () => Promise<{ holds: boolean; seen: string }>,
): Promise<string> => {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const { holds, seen } = await look().catch((error: unknown) => ({ holds: false, seen: messageOf(error) }));
    if (holds) return seen;
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs / 1_000} s; last seen:\n${seen}`);
    await delay(POLL_INTERVAL_MS);
  }
};

/** A command that goes on in the background; its lines are kept with the time at which they came. */
export interface Watch {
  lines(): string[];
  end(): void;
}

export interface Tools {
  kubectl(...args: string[]): Promise<string>;
  helm(...args: string[]): Promise<string>;
  watch(...kubectlArgs: string[]): Watch;
}

const watchLines = (child: ChildProcess): Watch => {
  const seen: string[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const [last = '', ...whole] = `${rest}${text}`.split('\n').toReversed();
    rest = last;
    const time = new Date().toISOString().slice(11, 23);
    seen.push(...whole.toReversed().map((line) => `${time}  ${line}`));
  });
  child.on('error', () => {});
  return { lines: () => seen, end: () => void child.kill('SIGKILL') };
};

/** kubectl and Helm for one cluster; their caches and settings are below `home`. */
export const createTools = async (
  options: ServerOptions,
  place: { kubeconfigFile: string; home: string; helmMajor: 3 | 4 },
): Promise<Tools> => {
  const kubectl = await findKubectl(options);
  const helm = await findHelm(options, place.helmMajor);
  const env = { PATH: options.searchPath.join(':'), HOME: place.home, KUBECONFIG: place.kubeconfigFile };
  return {
    kubectl: (...args) => must(kubectl, args, env),
    helm: (...args) => must(helm, args, env),
    watch: (...args) => watchLines(spawn(kubectl, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })),
  };
};
