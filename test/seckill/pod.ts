import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TokenKeys } from '../../services/domain/admission-token.ts';
import { POD_NODE_FLAGS } from '../../services/kit/node-flags.ts';
import { readTokenKeys } from '../../services/kit/token-keys.ts';
import { eventually } from '../support/eventually.ts';
import { nodeEnv } from '../support/node-env.ts';

const MAIN = new URL('../../services/seckill/main.ts', import.meta.url).pathname;

/** A seckill process as it is in production: its own process, its own port. */
export interface Pod {
  url: string;
  pid: number;
  log: string[];
  exit: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | NodeJS.Signals>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startPod(env: Record<string, string>, { untilReady = true } = {}): Promise<Pod> {
  const child = spawn(process.execPath, [...POD_NODE_FLAGS, MAIN], {
    env: { ...nodeEnv(), SECKILL_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const exit = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return (signal ?? code) as number | NodeJS.Signals;
  });
  const log: string[] = [];
  let url: string | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(line);
    const entry = JSON.parse(line) as { msg?: string; url?: string };
    if (entry.msg === 'listening') url = entry.url;
  });
  const found = await eventually(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return 'gone';
    if (url === undefined) return false;
    if (!untilReady) return url;
    return (await fetch(`${url}/readyz`)).ok ? url : false;
  }).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the pod is not ready:\n${log.join('\n')}`, { cause: error });
  });
  if (found === 'gone' || found === false) throw new Error(`the pod ended at once:\n${log.join('\n')}`);
  return {
    url: found,
    pid: child.pid as number,
    log,
    exit,
    kill: (signal) => child.kill(signal),
    stop() {
      child.kill('SIGTERM');
      return exit;
    },
  };
}

export interface KeyFile {
  path: string;
  keys: TokenKeys;
  remove(): void;
}

/** A file of token keys with `ids`, the first of them current. */
export function makeKeyFile(ids: string[] = ['k1']): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'seckill-keys-'));
  const path = join(folder, 'token-keys.json');
  const keys = Object.fromEntries(ids.map((id) => [id, randomBytes(32).toString('base64')]));
  writeFileSync(path, JSON.stringify({ current: ids[0], keys }), { mode: 0o600 });
  return { path, keys: readTokenKeys(path), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
