import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { renderEdge } from '../../services/edge/render.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { findNginx, type OwnNginx, startNginx } from '../../tools/servers/nginx.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { type KeyFile, makeKeyFile, type Pod, startPod } from '../seckill/pod.ts';
import { type Answer, attempt, openShop, read, type Sale, type Shop } from '../seckill/sale.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Routes {
  events?: Record<string, string[]>;
  orders?: string[];
  any?: string[];
}

const folder = tempDir();
const routesFile = join(folder, 'routes.json');
let edge: OwnNginx;

function writeRoutes(routes: Routes): void {
  writeFileSync(`${routesFile}.new`, JSON.stringify(routes));
  renameSync(`${routesFile}.new`, routesFile);
}

const startEdge = (workers: number): Promise<OwnNginx> =>
  startNginx(serverOptions(process.env), {
    config: (nginx, { dir, port }) => renderEdge({ port, dir, routesFile, nginx, workers }),
  });

beforeAll(async () => {
  writeRoutes({});
  edge = await startEdge(1);
});
afterAll(async () => {
  await edge?.close();
});

/** Asks over new connections, which the kernel deals out, until each worker has read (and understood) the file as it is. */
async function everyWorker(what: 'read' | 'followed', { url }: OwnNginx, workers = 1): Promise<void> {
  const written = crc32(readFileSync(routesFile));
  const done = new Set<number>();
  await eventually(async () => {
    const response = await fetch(`${url}/healthz`, { headers: { connection: 'close' } });
    const { worker, routes } = (await response.json()) as {
      worker: number;
      routes: Record<typeof what, number | null>;
    };
    if (routes[what] === written) done.add(worker);
    return done.size === workers;
  });
}

const addressOf = (url: string): string => new URL(url).host;

/** A server behind the edge. What it answers is not what is tested here, but who is asked, and with what. */
async function startBackend(
  listener: RequestListener,
  host = '127.0.0.1',
): Promise<{ address: string; server: Server }> {
  const server = createServer(listener).listen(0, host);
  await eventually(() => server.listening);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, server };
}

/** Who answered, and what he was sent. */
interface Echo {
  who: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

const echo = (who: string, host?: string) =>
  startBackend(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url, headers } = request;
    response.end(JSON.stringify({ who, url, headers, body: Buffer.concat(chunks).toString() }));
  }, host);

const ask = async (path: string, init?: RequestInit): Promise<Echo> =>
  (await (await fetch(edge.url + path, init)).json()) as Echo;

async function problemOf(path: string, init?: RequestInit): Promise<unknown[]> {
  const response = await fetch(edge.url + path, init);
  const { code, status } = (await response.json()) as { code: string; status: number };
  expect(response.status).toBe(status);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return [status, code, response.headers.get('content-type'), response.headers.get('retry-after')];
}

const json = 'application/problem+json; charset=utf-8';

describe('the edge', () => {
  it('has a configuration that nginx -t accepts, all of it inside of its folder', async () => {
    const nginx = await findNginx(serverOptions(process.env));
    const dir = join(folder, 'trial folder');
    mkdirSync(dir, { recursive: true });
    const config = join(dir, 'nginx.conf');
    writeFileSync(config, renderEdge({ port: await freePort(), dir, routesFile, nginx, workers: 3 }));
    const args = ['-t', '-p', dir, '-e', join(dir, 'error.log'), '-c', config];
    const trial = await runCommand(nginx.path, args, { env: { PATH: '/usr/bin:/bin', ...nginx.env } });
    expect([trial.code, trial.stderr]).toEqual([0, expect.stringContaining('test is successful')]);
    expect(trial.stderr).not.toMatch(/warn|alert|emerg/);
    expect(() => renderEdge({ port: 1, dir: '/a$b', routesFile, nginx, workers: 1 })).toThrow('nginx cannot be told');
  });

  it('brings a request to the pool of its event, another to any, orders to orders, as it came', async () => {
    const [own, any, orders] = [await echo('own'), await echo('any'), await echo('orders')];
    writeRoutes({
      events: { 'shop/phone': [own.address], 'shop/none': [] },
      any: [any.address],
      orders: [orders.address],
    });
    await eventually(async () => (await ask('/v1/events/shop/phone')).who === 'own');
    const post = {
      method: 'POST',
      body: '{"units":1}',
      headers: { 'x-forwarded-for': '6.6.6.6', authorization: 'Bearer t' },
    };
    const bought = await ask('/v1/events/shop/phone/reservations?a=%2F', post);
    expect(bought).toMatchObject({ who: 'own', url: '/v1/events/shop/phone/reservations?a=%2F', body: '{"units":1}' });
    expect(bought.headers).toMatchObject({ authorization: 'Bearer t', 'x-forwarded-for': '127.0.0.1' });
    expect(bought.headers['seckill-attempt']).toBeUndefined();
    expect(
      (await ask('/v1/events/shop/phone', { headers: { 'seckill-attempt': '3' } })).headers['seckill-attempt'],
    ).toBe('3');
    expect((await ask('/v1/events/shop/phone2')).who).toBe('any');
    expect((await ask('/v1/events/shop/none')).who).toBe('any');
    expect((await ask('/v1/orders/1')).who).toBe('orders');
  });

  it('finds peers by their IPv6 addresses too', async () => {
    const peer = await echo('six', '::1');
    writeRoutes({ any: [peer.address] });
    await everyWorker('followed', edge);
    expect((await ask('/v1/events/shop/x')).who).toBe('six');
  });

  it('takes its peers in turn, over connections that it keeps', async () => {
    const peers = [await echo('a'), await echo('b'), await echo('c')];
    let connections = 0;
    for (const { server } of peers) server.on('connection', () => (connections += 1));
    writeRoutes({ any: peers.map(({ address }) => address) });
    await eventually(async () => ['a', 'b', 'c'].includes((await ask('/v1/events/shop/x')).who));
    const seen: Record<string, number> = {};
    for (let i = 0; i < 300; i += 1) {
      const { who } = await ask('/v1/events/shop/x');
      seen[who] = (seen[who] ?? 0) + 1;
    }
    for (const who of ['a', 'b', 'c']) expect(seen[who]).toBeGreaterThanOrEqual(90);
    // A connection to each peer, and some for requests that met.
    expect(connections).toBeLessThan(15);
  });

  it('answers by itself what has no route, no peer, or too large a body, as problems of the one table', async () => {
    writeRoutes({ any: ['127.0.0.1:1'], orders: [] });
    await eventually(async () => (await problemOf('/v1/orders/1'))[1] === 'SECKILL_ERR_UNAVAILABLE');
    expect(await problemOf('/v1/orders/1')).toEqual([503, 'SECKILL_ERR_UNAVAILABLE', json, '1']);
    expect(await problemOf('/v1/events/shop/x')).toEqual([503, 'SECKILL_ERR_UNAVAILABLE', json, '2']);
    for (const path of ['/', '/v1', '/v1/events/', '/v1/events/shop', '/metrics', '/readyz']) {
      expect(await problemOf(path)).toEqual([404, 'SECKILL_ERR_ROUTE_UNKNOWN', json, null]);
    }
    const large = { method: 'POST', body: 'x'.repeat(1_025) };
    expect(await problemOf('/v1/events/shop/x/reservations', large)).toEqual([
      413,
      'SECKILL_ERR_BODY_TOO_LARGE',
      json,
      null,
    ]);
    expect(await (await fetch(`${edge.url}/healthz`)).json()).toMatchObject({ live: true, worker: 0 });
  });

  it('says "unknown" when whoever was asked to sell did not answer, for he may have sold', async () => {
    const dropping = await startBackend((request) => request.socket.destroy());
    writeRoutes({ any: [dropping.address] });
    await everyWorker('followed', edge);
    const lost = await fetch(`${edge.url}/v1/events/shop/x/reservations`, { method: 'POST', body: '{"units":1}' });
    expect(lost.headers.get('cache-control')).toBe('no-store');
    expect([lost.status, lost.headers.get('retry-after'), await lost.json()]).toEqual([
      202,
      '2',
      { status: 'unknown', retryAfterSeconds: 2 },
    ]);
    expect(await problemOf('/v1/events/shop/x')).toEqual([503, 'SECKILL_ERR_UNAVAILABLE', json, '2']);
  });

  it('says that nobody sold where no peer could be reached at all', async () => {
    writeRoutes({ any: ['127.0.0.1:1', '127.0.0.1:2'] });
    await everyWorker('followed', edge);
    const post = { method: 'POST', body: '{"units":1}' };
    expect(await problemOf('/v1/events/shop/x/reservations', post)).toEqual([
      503,
      'SECKILL_ERR_UNAVAILABLE',
      json,
      '2',
    ]);
    // The second one may have sold, whatever became of the first.
    const dropping = await startBackend((request) => request.socket.destroy());
    writeRoutes({ any: ['127.0.0.1:1', dropping.address] });
    await everyWorker('followed', edge);
    expect((await fetch(`${edge.url}/v1/events/shop/x/reservations`, post)).status).toBe(202);
  });

  it('brings a request that met a dead peer to the next one, as a second attempt', async () => {
    const alive = await echo('alive');
    const dropping = await startBackend((request) => request.socket.destroy());
    for (const dead of [`127.0.0.1:${await freePort()}`, dropping.address]) {
      writeRoutes({ any: [dead, alive.address] });
      const attempts = new Set<unknown>();
      await eventually(async () => {
        const post = { method: 'POST', body: '{"units":1}' };
        const { who, body, headers } = await ask('/v1/events/shop/x/reservations', post);
        expect([who, body]).toEqual(['alive', '{"units":1}']);
        attempts.add(headers['seckill-attempt']);
        return attempts.size === 2;
      });
      expect(attempts).toEqual(new Set([undefined, '2']));
    }
  });

  it.each([
    ['{"any": ["127.0.0.1:', 'cut off'],
    ['{"any": [1]}', 'a number'],
    ['{"any": ["pod-1:80"]}', 'a name instead of an address'],
    ['{"any": []} trailing', 'something behind it'],
    ['[]', 'a list'],
    ['', 'empty'],
  ])('goes on with the last good routes while the file is %j (%s)', async (text) => {
    const good = await echo('good');
    writeRoutes({ any: [good.address] });
    await eventually(async () => (await ask('/v1/events/shop/x')).who === 'good');
    writeFileSync(routesFile, text);
    await everyWorker('read', edge);
    expect((await ask('/v1/events/shop/x')).who).toBe('good');
    const next = await echo('next');
    writeRoutes({ any: [next.address] });
    await eventually(async () => (await ask('/v1/events/shop/x')).who === 'next');
  });
});

describe('the edge before real pods', () => {
  const redis = ownRedis();
  let keyFile: KeyFile;
  let shop: Shop;

  beforeAll(async () => {
    keyFile = makeKeyFile();
    shop = await openShop(redis.url, keyFile.keys);
  });
  afterAll(async () => {
    await shop?.close();
    keyFile?.remove();
  });

  async function startOwnPod(): Promise<Pod> {
    const pod = await startPod({ SECKILL_REDIS_URL: redis.url, SECKILL_TOKEN_KEYS_FILE: keyFile.path });
    onTestFinished(() => pod.kill('SIGKILL'));
    return pod;
  }

  /** The pod's own word that a busy machine held it up; whoever lost a pod's answer knows no place to look. */
  const saysComeAgain = ({ status, body }: Answer): boolean =>
    (status === 202 && body.statusUrl !== undefined) ||
    ['SECKILL_ERR_LATE', 'SECKILL_ERR_OVERLOADED'].includes(body.code ?? '');

  async function definiteAnswer(url: string, sale: Sale): Promise<Answer> {
    const token = sale.token();
    for (let nth = 1; ; nth += 1) {
      const answer = await attempt(url, sale, token, { headers: { 'seckill-attempt': `${nth}` } });
      if (!saysComeAgain(answer)) return answer;
      await delay(100);
    }
  }

  it('sells on while one pod stops, another is killed and a new one comes: no request fails, none sells twice', async () => {
    const manyWorkers = await startEdge(2);
    onTestFinished(() => manyWorkers.close());
    const { url } = manyWorkers;
    const sale = await shop.openSale({ totalUnits: 100_000 });
    const [stopping, dying] = [await startOwnPod(), await startOwnPod()];
    const route = (...pods: Pod[]) => writeRoutes({ any: pods.map((pod) => addressOf(pod.url)) });
    route(stopping, dying);
    await everyWorker('followed', manyWorkers, 2);
    await eventually(async () => (await read(url, sale.path)).status === 200);

    const told: string[] = [];
    const failed: unknown[] = [];
    let ended = false;
    const buyers = Array.from({ length: 8 }, async () => {
      while (!ended) {
        const { status, body } = await definiteAnswer(url, sale);
        // A request whose pod died with it is brought to the next one, which finds the reservation there: 200.
        if (status === 201 || status === 200) told.push(body.reservationId ?? '');
        else failed.push([status, body]);
      }
    });
    const someMore = async (): Promise<void> => {
      const enough = told.length + 200;
      await eventually(() => told.length >= enough);
    };
    await someMore();
    expect(await stopping.stop()).toBe(0);
    await someMore();
    const fresh = await startOwnPod();
    route(dying, fresh);
    await everyWorker('followed', manyWorkers, 2);
    await someMore();
    dying.kill('SIGKILL');
    await someMore();
    route(fresh);
    await everyWorker('followed', manyWorkers, 2);
    await someMore();
    ended = true;
    await Promise.all(buyers);

    expect(failed, readFileSync(join(manyWorkers.dir, 'error.log'), 'utf8')).toEqual([]);
    expect(new Set(told).size).toBe(told.length);
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: told.length, lawHolds: true });
  });
});
