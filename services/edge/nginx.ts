import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'undici';
import type { Log } from '../kit/log.ts';
import { AGENT_LIMITS } from './limits.ts';

/** nginx as the child of this process. */
export interface Nginx {
  /** Takes no more connections, finishes its requests, ends. Resolves when it is gone. */
  quit(): Promise<void>;
  /** Resolves with the exit code or the signal, however it came to that. None of its processes is left then. */
  ended: Promise<number | NodeJS.Signals>;
  /** Its own numbers since it started; `undefined` when it does not answer. */
  numbers(): Promise<NginxNumbers | undefined>;
  /** What it counts, in the text format of Prometheus; empty when it does not answer. */
  metrics(): Promise<string>;
}

export interface NginxNumbers {
  openConnections: number;
  /** Accepted, and not given up for want of room. */
  droppedConnections: number;
  requests: number;
}

export interface NginxOptions {
  program: string;
  /** Holds nginx.conf and everything that it writes. */
  dir: string;
  config: string;
  statusSocket: string;
  env: NodeJS.ProcessEnv;
  log: Log;
}

export async function startNginx({ program, dir, config, statusSocket, env, log }: NginxOptions): Promise<Nginx> {
  const file = join(dir, 'nginx.conf');
  await writeFile(file, config);
  // One that an earlier nginx left when it was killed would keep this one from listening.
  await rm(statusSocket, { force: true });
  // A group of its own: its workers outlive a master that was killed, and would go on with the port.
  const child = spawn(program, ['-p', dir, '-e', 'stderr', '-c', file], {
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const endGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody of it is left.
    }
  };
  process.once('exit', endGroup);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('error', (error) => {
      log.error({ err: error }, 'nginx cannot be started');
      resolve(1);
    });
    child.once('exit', (code, signal) => {
      endGroup();
      process.off('exit', endGroup);
      resolve(signal ?? code ?? 1);
    });
  });
  const passOn = boundedLog(log);
  createInterface({ input: child.stderr }).on('line', passOn);
  const client = new Client('http://edge', {
    socketPath: statusSocket,
    headersTimeout: AGENT_LIMITS.statusTimeoutMs,
    bodyTimeout: AGENT_LIMITS.statusTimeoutMs,
  });
  return {
    async quit() {
      child.kill('SIGQUIT');
      await ended;
      await client.destroy();
    },
    ended,
    async metrics() {
      try {
        const { body } = await client.request({ method: 'GET', path: '/metrics' });
        return await body.text();
      } catch {
        return '';
      }
    },
    async numbers() {
      try {
        const { body } = await client.request({ method: 'GET', path: '/status' });
        return readNumbers(await body.text());
      } catch {
        return undefined;
      }
    },
  };
}

/** `Active connections: A \n server accepts handled requests \n ACCEPTED HANDLED REQUESTS \n …` */
function readNumbers(text: string): NginxNumbers | undefined {
  const found = /Active connections: (\d+)\s+server accepts handled requests\s+(\d+) (\d+) (\d+)/.exec(text);
  if (found === null) return undefined;
  const [open = 0, accepted = 0, handled = 0, requests = 0] = found.slice(1).map(Number);
  return { openConnections: open, droppedConnections: accepted - handled, requests };
}

/** A pod that is away makes a line of each request that asked it: some are enough. */
function boundedLog(log: Log): (line: string) => void {
  let second = 0;
  let lines = 0;
  return (line) => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) {
      const unsaid = lines - AGENT_LIMITS.logLinesPerSecondMax;
      if (unsaid > 0) log.warn({ lines: unsaid }, 'nginx said more');
      second = now;
      lines = 0;
    }
    lines += 1;
    if (lines > AGENT_LIMITS.logLinesPerSecondMax) return;
    log.warn({ detail: line.slice(0, AGENT_LIMITS.logLineMaxChars) }, 'nginx');
  };
}
