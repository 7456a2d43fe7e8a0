import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { findNginx } from '../../tools/servers/nginx.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { eventually } from '../support/eventually.ts';
import { nodeEnv } from '../support/node-env.ts';

const MAIN = new URL('../../services/edge/main.ts', import.meta.url).pathname;

/** The edge as it runs in a cluster: its agent, and nginx as the agent's child. */
export interface ClusterEdge {
  /** Where buyers ask. */
  url: string;
  /** Where probes and metrics are. */
  adminUrl: string;
  log: string[];
  exit: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

export async function startClusterEdge(env: Record<string, string>): Promise<ClusterEdge> {
  const nginx = await findNginx(serverOptions(process.env));
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [MAIN], {
    env: {
      ...nodeEnv(),
      ...nginx.env,
      SECKILL_PORT: String(port),
      SECKILL_ADMIN_PORT: '0',
      SECKILL_NGINX: nginx.path,
      SECKILL_NGINX_LUA_PATH: nginx.luaPackagePath,
      SECKILL_EDGE_WORKERS: '1',
      ...(nginx.modulesDir === undefined ? {} : { SECKILL_NGINX_MODULES: nginx.modulesDir }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals);
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exit;
  });
  const log: string[] = [];
  let adminUrl: string | undefined;
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    log.push(line);
    const entry = JSON.parse(line) as { msg?: string; url?: string };
    if (entry.msg === 'listening') adminUrl = entry.url;
  });
  await eventually(() => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the edge ended:\n${log.join('\n')}`);
    return adminUrl !== undefined;
  });
  return { url: `http://127.0.0.1:${port}`, adminUrl: adminUrl ?? '', log, exit, kill: (signal) => child.kill(signal) };
}

/** Where the operator would tell its routes. What it tells, and whether it does, is the test's. */
export async function startTable(): Promise<{
  url: string;
  tell(events: Record<string, string>): void;
  answer(status: number, text: string): void;
  asked(): number;
}> {
  let [status, text, asked] = [503, '', 0];
  const server: Server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end(text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const answer = (newStatus: number, newText: string): void => {
    [status, text] = [newStatus, newText];
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/routes`,
    tell: (events) => answer(200, JSON.stringify({ events })),
    answer,
    asked: () => asked,
  };
}
