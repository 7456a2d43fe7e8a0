import { fork } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a buyer's request said, as the server saw it. */
export interface Heard {
  token: string;
  attempt: string;
  body: string;
}

/** How the server answers: a status with a body, nothing at all (`hang`), or a broken connection. */
export type Reply =
  | { status: number; body?: unknown; headers?: Record<string, string>; afterMs?: number }
  | 'hang'
  | 'hang-up';

/** An HTTP server whose answers a test decides: the generator is what is tested, any sale that it could meet is legal. */
export interface ScriptedServer {
  url: string;
  heard: Heard[];
  close(): Promise<void>;
}

export const startScriptedServer = async (reply: (heard: Heard, index: number) => Reply): Promise<ScriptedServer> => {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.end('{}');
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const entry = { token: tokenOf(request), attempt: String(request.headers['seckill-attempt']), body };
      heard.push(entry);
      answer(response, reply(entry, heard.length - 1));
    });
  });
  const url = await listen(server);
  return {
    url,
    heard,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

const tokenOf = (request: IncomingMessage): string => (request.headers.authorization ?? '').replace('Bearer ', '');

const answer = (response: ServerResponse, reply: Reply): void => {
  if (reply === 'hang') return;
  if (reply === 'hang-up') {
    response.destroy();
    return;
  }
  const send = (): void => {
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.body === undefined ? '' : JSON.stringify(reply.body));
  };
  if (reply.afterMs === undefined) send();
  else setTimeout(send, reply.afterMs);
};

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

/** Answers of the purchase route, as the platform gives them. */
export const HELD = (heard: Heard): Reply => ({
  status: 201,
  body: { reservationId: `reservation-of-${heard.token}`, eventId: 'shop.x.1', units: 1, state: 'held' },
});
export const problem = (status: number, code: string, headers: Record<string, string> = {}): Reply => ({
  status,
  headers,
  body: { type: 'about:blank', status, code },
});

/** A server in a process of its own, which a test can stop and continue by signals. */
export const startServerProcess = (): Promise<{ url: string; pid: number; close(): void }> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL('./held-server.ts', import.meta.url), { stdio: 'inherit' });
    child.once('error', reject);
    child.once('message', (message) => {
      const { port } = message as { port: number };
      resolve({ url: `http://127.0.0.1:${port}`, pid: child.pid as number, close: () => child.kill('SIGKILL') });
    });
  });
