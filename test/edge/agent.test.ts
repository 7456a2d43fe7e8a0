import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { Agent, createServer, type RequestListener, request } from 'node:http';

import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createAddressBook } from '../../services/edge/address-book.ts';
import { renderEdge } from '../../services/edge/render.ts';
import { createLog } from '../../services/kit/log.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type ClusterEdge, startClusterEdge, startTable } from './agent-process.ts';

const folder = tempDir();
const ownDir = (): string => mkdtempSync(join(folder, 'edge-'));

async function startBackend(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const echo = (who: string): Promise<string> =>
  startBackend((request, response) => response.end(JSON.stringify({ who, from: request.headers['x-forwarded-for'] })));

const settings = (table: { url: string }, dir: string, orders = '127.0.0.1:1'): Record<string, string> => ({
  SECKILL_EDGE_ROUTES_URL: table.url,
  SECKILL_EDGE_ORDERS: orders,
  SECKILL_EDGE_DIR: dir,
});

interface Answer {
  status: number;
  body: { who?: string; from?: string; code?: string };
}

async function ask({ url }: ClusterEdge, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url + path, { headers });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const isReady = async ({ adminUrl }: ClusterEdge): Promise<boolean> => (await fetch(`${adminUrl}/readyz`)).ok;

it('calls no event unknown before it has heard of them, and then those that the operator does not name', async () => {
  const table = await startTable();
  const [pod, orders] = [await echo('pod'), await echo('orders')];
  const edge = await startClusterEdge(settings(table, ownDir(), orders));
  await eventually(async () => (await ask(edge, '/v1/orders/1')).body.who === 'orders');
  expect(await ask(edge, '/v1/events/shop/phone')).toMatchObject({ status: 503 });
  expect(await isReady(edge)).toBe(false);

  table.tell({ 'shop/phone': pod, 'shop/none': 'nobody.invalid:8080' });
  await eventually(async () => (await ask(edge, '/v1/events/shop/phone')).body.who === 'pod');
  await eventually(() => isReady(edge));
  expect(await ask(edge, '/v1/events/shop/phone2')).toMatchObject({
    status: 404,
    body: { code: 'SECKILL_ERR_EVENT_UNKNOWN' },
  });
  expect(await ask(edge, '/v1/events/shop/none')).toMatchObject({
    status: 503,
    body: { code: 'SECKILL_ERR_UNAVAILABLE' },
  });
  expect(await ask(edge, '/v1/else')).toMatchObject({ status: 404, body: { code: 'SECKILL_ERR_ROUTE_UNKNOWN' } });
});

it('keeps the last table while the operator is away or talks nonsense, and after its own restart', async () => {
  const table = await startTable();
  const dir = ownDir();
  table.tell({ 'shop/phone': await echo('pod') });
  const first = await startClusterEdge(settings(table, dir));
  await eventually(async () => (await ask(first, '/v1/events/shop/phone')).body.who === 'pod');
  for (const [status, text] of [
    [503, '{"events":{}}'],
    [200, '{"events":{"shop/other":"no port"}}'],
    [200, '{"events":'],
  ] as const) {
    table.answer(status, text);
    const before = table.asked();
    await eventually(() => table.asked() >= before + 2);
    expect((await ask(first, '/v1/events/shop/phone')).body.who).toBe('pod');
    expect(await isReady(first)).toBe(true);
  }
  first.kill('SIGTERM');
  expect(await first.exit).toBe(0);

  const second = await startClusterEdge(settings(table, dir));
  await eventually(async () => (await ask(second, '/v1/events/shop/phone')).body.who === 'pod');
  expect((await ask(second, '/v1/events/shop/phone2')).status).toBe(404);
  await eventually(() => isReady(second));
});

it('takes a buyer by the address that a trusted proxy names, and by nobody else', async () => {
  const table = await startTable();
  table.tell({ 'shop/phone': await echo('pod') });
  const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.2.3' };
  const trusting = await startClusterEdge({
    ...settings(table, ownDir()),
    SECKILL_EDGE_TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/8',
  });
  const alone = await startClusterEdge(settings(table, ownDir()));
  for (const [edge, from] of [
    [trusting, '203.0.113.9'],
    [alone, '127.0.0.1'],
  ] as const) {
    await eventually(async () => (await ask(edge, '/v1/events/shop/phone')).body.who === 'pod');
    expect((await ask(edge, '/v1/events/shop/phone', headers)).body.from).toBe(from);
  }
  for (const trustedProxies of [['10.0.0.0/33'], ['all;'], ['1.2.3.4/8/9']]) {
    const nginx = { luaPackagePath: ';;', needsUserDirective: false };
    expect(() => renderEdge({ port: 1, dir: '/a', routesFile: '/b', nginx, workers: 1, trustedProxies })).toThrow(
      'SECKILL_EDGE_TRUSTED_PROXIES must name IP addresses or CIDRs',
    );
  }
});

it('says which variable names something else than name servers', () => {
  const log = createLog({ role: 'test', instance: 'test', level: 'silent' });
  expect(() => createAddressBook({ servers: ['10.0.0'], log, onLookup() {} })).toThrow('SECKILL_EDGE_DNS');
});

/** One request on a connection of the agent; answers whether the edge ends the connection behind it. */
const askOn = (agent: Agent, url: string): Promise<{ status: number | undefined; ends: boolean }> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, ends: response.headers.connection === 'close' }));
    });
    asked.on('error', reject);
    asked.end();
  });

it('leaves without failing a request: it ends each connection with an answer, and waits for what is under way', async () => {
  const table = await startTable();
  let finish: (() => void) | undefined;
  table.tell({
    'shop/phone': await echo('pod'),
    'shop/slow': await startBackend((_request, response) => {
      finish = () => response.end('{}');
    }),
  });
  const edge = await startClusterEdge(settings(table, ownDir()));
  await eventually(async () => (await ask(edge, '/v1/events/shop/phone')).body.who === 'pod');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect(await askOn(agent, `${edge.url}/v1/events/shop/phone`)).toEqual({ status: 200, ends: false });
  const slow = ask(edge, '/v1/events/shop/slow');
  await eventually(() => finish !== undefined);

  edge.kill('SIGTERM');
  await eventually(async () => {
    const { status, ends } = await askOn(agent, `${edge.url}/v1/events/shop/phone`);
    expect(status).toBe(200);
    return ends;
  });
  expect(await isReady(edge)).toBe(false);
  // Only when it takes no more connections.
  await eventually(() =>
    fetch(`${edge.url}/healthz`, { headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    ),
  );
  finish?.();
  expect((await slow).status).toBe(200);
  expect(await edge.exit).toBe(0);
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

it('ends, and lets nobody of it go on, when nginx dies', async () => {
  const table = await startTable();
  table.tell({});
  const dir = ownDir();
  const edge = await startClusterEdge(settings(table, dir));
  await eventually(() => isReady(edge));
  const master = readFileSync(join(dir, 'nginx.pid'), 'utf8').trim();
  const workers = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ');
  expect(workers).toHaveLength(1);
  process.kill(Number(master), 'SIGKILL');
  expect(await edge.exit).toBe(1);
  expect(edge.log.some((line) => line.includes('nginx has ended'))).toBe(true);
  await eventually(() => workers.every((pid) => !isRunning(Number(pid))));
  // What it left behind does not keep the next one from starting.
  const next = await startClusterEdge(settings(table, dir));
  await eventually(() => isReady(next));
});
