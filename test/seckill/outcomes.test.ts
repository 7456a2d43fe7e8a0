import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RESERVE_ANSWER_MS, UNKNOWN_RETRY_AFTER_SECONDS } from '../../services/domain/limits.ts';
import { LOOKUPS_IN_FLIGHT_MAX } from '../../services/seckill/limits.ts';
import { buyUnit } from '../support/buy.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type KeyFile, makeKeyFile, type Pod, startPod } from './pod.ts';
import { attempt, openShop, randomBuyer, read, type Shop } from './sale.ts';

const folder = tempDir();
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

/** Gone from the registry after its test: the next one may restart Redis, and then nobody would be ready for it. */
const openSale: Shop['openSale'] = async (options) => {
  const sale = await shop.openSale(options);
  onTestFinished(() => sale.forget());
  return sale;
};

async function startOwnPod(env: Record<string, string> = {}, untilReady = true): Promise<Pod> {
  const variables = { SECKILL_REDIS_URL: redis.url, SECKILL_TOKEN_KEYS_FILE: keyFile.path, ...env };
  const pod = await startPod(variables, { untilReady });
  onTestFinished(() => pod.kill('SIGKILL'));
  return pod;
}

const rawAttempt = (path: string, token: string): string =>
  [
    `POST ${path}/reservations HTTP/1.1`,
    'host: pod',
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    'content-length: 11',
    '',
    '{"units":1}',
  ].join('\r\n');

async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  await once(socket, 'connect');
  return socket;
}

const isReady = async (pod: Pod): Promise<boolean> => (await fetch(`${pod.url}/readyz`)).ok;

describe('a Redis that stands still', () => {
  it('makes the outcome unknown, and the same token asked again makes it definite', async () => {
    const sale = await openSale({ totalUnits: 5 });
    const pod = await startOwnPod();
    const token = sale.token();
    expect((await attempt(pod.url, sale, sale.token())).status).toBe(201);
    await redis.server.kill('SIGSTOP');
    const unknown = await attempt(pod.url, sale, token).finally(() => redis.server.kill('SIGCONT'));
    expect(unknown.status).toBe(202);
    expect(unknown.body).toEqual({
      status: 'unknown',
      retryAfterSeconds: UNKNOWN_RETRY_AFTER_SECONDS,
      statusUrl: expect.stringContaining(`${sale.path}/reservations/`),
    });
    expect(unknown.headers.get('retry-after')).toBe(String(UNKNOWN_RETRY_AFTER_SECONDS));
    expect(unknown.headers.get('location')).toBe(unknown.body.statusUrl);
    // The attempt was held up past its deadline, so that Redis did not decide it: the next one does.
    let unknownAgain = false;
    const again = await eventually(async () => {
      const answer = await attempt(pod.url, sale, token, { headers: { 'seckill-attempt': '2' } });
      unknownAgain ||= answer.status === 202;
      expect([202, 503]).not.toContain(answer.status);
      return answer;
    });
    // Should a busy machine have held up that one too, Redis may have decided it.
    expect(unknownAgain ? [200, 201] : [201]).toContain(again.status);
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: 2 });
    const read200 = await read(pod.url, unknown.body.statusUrl ?? '', token);
    expect([read200.status, read200.body.state]).toEqual([200, 'held']);
  });

  it('bounds the work in flight: the next attempt is told to come back at once', async () => {
    const sale = await openSale({ totalUnits: 5 });
    const pod = await startOwnPod({ SECKILL_ATTEMPTS_IN_FLIGHT_MAX: '50' });
    const requests = Array.from({ length: 80 }, () => rawAttempt(sale.path, sale.token()));
    const sockets = await Promise.all(requests.map(() => openSocket(pod.url)));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await redis.server.kill('SIGSTOP');
    const startedMs = Date.now();
    const answers = await Promise.all(
      sockets.map(async (socket, index) => {
        socket.write(requests[index] ?? '');
        const [text] = (await once(socket, 'data')) as [string];
        return {
          status: Number(text.split(' ', 2)[1]),
          code: /"code":"(\w+)"/.exec(text)?.[1],
          retryAfter: /^retry-after: (\d+)/im.exec(text)?.[1],
          tookMs: Date.now() - startedMs,
        };
      }),
    ).finally(() => redis.server.kill('SIGCONT'));
    const refused = answers.filter(({ code }) => code === 'SECKILL_ERR_OVERLOADED');
    const unknown = answers.filter(({ status }) => status === 202);
    expect(refused.length).toBeGreaterThanOrEqual(30);
    expect(unknown.length).toBeGreaterThan(0);
    expect(refused.length + unknown.length).toBe(80);
    expect(refused[0]).toMatchObject({ status: 503, retryAfter: '1' });
    const soonestUnknownMs = Math.min(...unknown.map(({ tookMs }) => tookMs));
    expect(refused.filter(({ tookMs }) => tookMs < soonestUnknownMs).length).toBeGreaterThanOrEqual(30);
    // Those that wait in the pod while Redis stands still do not wait for one timeout after the other.
    expect(Date.now() - startedMs).toBeLessThan(10 * RESERVE_ANSWER_MS);
  });
});

describe('readers of their own reservations', () => {
  it('beyond a bound of their own are told to come back at once, while Redis stands still', async () => {
    const sale = await openSale({ totalUnits: 5 });
    const pod = await startOwnPod();
    const token = sale.token();
    const { body } = await attempt(pod.url, sale, token);
    const path = `${sale.path}/reservations/${body.reservationId}`;
    const request = [`GET ${path} HTTP/1.1`, 'host: pod', `authorization: Bearer ${token}`, '', ''].join('\r\n');
    const sockets = await Promise.all(Array.from({ length: LOOKUPS_IN_FLIGHT_MAX + 10 }, () => openSocket(pod.url)));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await redis.server.kill('SIGSTOP');
    const codes = await Promise.all(
      sockets.map(async (socket) => {
        socket.write(request);
        const [text] = (await once(socket, 'data')) as [string];
        return /"code":"(\w+)"/.exec(text)?.[1];
      }),
    ).finally(() => redis.server.kill('SIGCONT'));
    expect(codes.filter((code) => code === 'SECKILL_ERR_OVERLOADED')).toHaveLength(10);
    expect(codes.filter((code) => code === 'SECKILL_ERR_UNAVAILABLE')).toHaveLength(LOOKUPS_IN_FLIGHT_MAX);
    await eventually(async () => (await read(pod.url, path, token)).status === 200);
  });
});

describe('a Redis that was restarted', () => {
  it('sells nothing, although its data are there, until the registry names its run', async () => {
    const sale = await openSale({ totalUnits: 5 });
    const pod = await startOwnPod();
    expect((await attempt(pod.url, sale, sale.token())).status).toBe(201);
    await redis.server.stop();
    await eventually(async () => !(await isReady(pod)));
    const away = await attempt(pod.url, sale, sale.token());
    expect([away.status, away.body.code]).toEqual([503, 'SECKILL_ERR_NOT_READY']);
    await redis.server.start();
    await shop.link.ready();
    const told = await eventually(async () => {
      const { reasons } = (await (await fetch(`${pod.url}/readyz`)).json()) as { reasons: string[] };
      return reasons[0]?.includes('another run') ? reasons : false;
    });
    expect(told).toHaveLength(1);
    const back = await attempt(pod.url, sale, sale.token());
    expect([back.status, back.body.code]).toEqual([503, 'SECKILL_ERR_NOT_READY']);
    expect((await read(pod.url, sale.path)).body.state).toBe('not-ready');
    const run = (await shop.link.refreshRun()) ?? '';
    expect(await shop.stock.snapshot({ ...sale.ref, run })).toMatchObject({ status: 'ok', heldUnits: 1 });
  });
});

describe('kill -9', () => {
  it('before the call takes nothing; the token asked again wins', async () => {
    const sale = await openSale({ totalUnits: 5 });
    const marker = join(folder, 'before');
    const dying = await startOwnPod({ SECKILL_FAULT: 'seckill.before-reserve@2', SECKILL_FAULT_MARKER: marker });
    const token = sale.token();
    expect((await attempt(dying.url, sale, sale.token())).status).toBe(201);
    await expect(attempt(dying.url, sale, token)).rejects.toThrow();
    expect(await dying.exit).toBe('SIGKILL');
    expect(existsSync(marker)).toBe(true);
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: 1 });
    const next = await startOwnPod({ SECKILL_FAULT: 'seckill.before-reserve', SECKILL_FAULT_MARKER: marker });
    const again = await attempt(next.url, sale, token, { headers: { 'seckill-attempt': '2' } });
    expect(again.status).toBe(201);
  });

  it('after the call keeps the unit for its buyer; the token asked again hears of it', async () => {
    const sale = await openSale({ totalUnits: 1 });
    const marker = join(folder, 'after');
    const dying = await startOwnPod({ SECKILL_FAULT: 'seckill.after-reserve', SECKILL_FAULT_MARKER: marker });
    const token = sale.token(randomBuyer());
    await expect(attempt(dying.url, sale, token)).rejects.toThrow();
    expect(await dying.exit).toBe('SIGKILL');
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: 1, availableUnits: 0 });
    const next = await startOwnPod();
    expect((await attempt(next.url, sale, sale.token())).body.code).toBe('SECKILL_ERR_SOLD_OUT');
    const again = await attempt(next.url, sale, token, { headers: { 'seckill-attempt': '2' } });
    expect([again.status, again.body.state]).toEqual([200, 'held']);
  });
});

describe('the life of a pod', () => {
  it('without Redis it is alive and not ready, and says why; with it, it becomes ready by itself', async () => {
    await redis.server.stop();
    const pod = await startOwnPod({}, false);
    expect((await fetch(`${pod.url}/healthz`)).status).toBe(200);
    const { ready, reasons } = (await (await fetch(`${pod.url}/readyz`)).json()) as {
      ready: boolean;
      reasons: string[];
    };
    expect([ready, reasons[0]]).toEqual([false, expect.stringContaining('redis')]);
    const early = await attempt(pod.url, { path: '/v1/events/shop/x' }, undefined);
    expect(early.body.code).toBe('SECKILL_ERR_TOKEN_MISSING');
    expect((await read(pod.url, '/v1/events/shop/x')).body.code).toBe('SECKILL_ERR_NOT_READY');
    await redis.server.start();
    await shop.link.ready();
    await eventually(() => isReady(pod));
  });

  it('told to stop, it finishes what it has, asks connections to go, and exits with 0', async () => {
    const sale = await openSale({ totalUnits: 100_000 });
    const [pod, other] = [await startOwnPod(), await startOwnPod()];
    const buyOne = async () => {
      const token = sale.token();
      return { token, ...(await attempt(pod.url, sale, token)) };
    };
    const buyTen = () =>
      Promise.allSettled(Array.from({ length: 10 }, buyOne)).then((settled) =>
        settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
      );
    const answers = await buyTen();
    expect(answers[0]?.headers.get('connection')).toBe('keep-alive');
    const stopping = pod.stop();
    await eventually(async () => !(await isReady(pod)));
    for (;;) {
      const some = await buyTen();
      if (some.length === 0) break;
      expect(some.every(({ headers }) => headers.get('connection') === 'close')).toBe(true);
      answers.push(...some);
    }
    expect(await stopping).toBe(0);
    expect(answers.length).toBeGreaterThan(10);
    // Whom a busy machine could tell nothing definite in time is told by another pod.
    for (const { status, body, token } of answers) {
      if (status !== 202 && body.code !== 'SECKILL_ERR_LATE') expect(status).toBe(201);
      else expect([200, 201]).toContain((await buyUnit(`${other.url}${sale.path}`, token)).status);
    }
    // Nobody's unit was taken without his being told.
    expect(await shop.stock.snapshot(sale.ref)).toMatchObject({ heldUnits: answers.length });
  });

  it('shows each answer before anybody hears it, so that a first rush is an increase', async () => {
    const { entry } = await openSale({ totalUnits: 1 });
    const pod = await startOwnPod();
    const metrics = await (await fetch(`${pod.url}/metrics`)).text();
    const event = `${entry.namespace}/${entry.name}`;
    for (const [answer, code] of [
      ['held', 201],
      ['unknown', 202],
      ['SECKILL_ERR_NOT_READY', 503],
      ['SECKILL_ERR_LATE', 503],
      ['SECKILL_ERR_OVERLOADED', 503],
    ] as const) {
      expect(metrics).toContain(
        `seckill_requests_total{route="reserve",answer="${answer}",code="${code}",role="seckill"} 0`,
      );
      expect(metrics).toContain(
        `seckill_reservation_answers_total{event="${event}",answer="${answer}",role="seckill"} 0`,
      );
    }
    expect(metrics).toContain(
      'seckill_requests_total{route="reserve",answer="SECKILL_ERR_INTERNAL",code="500",role="seckill"} 0',
    );
  });

  it('logs no refused buyer, no token and no buyer id', async () => {
    const sale = await openSale({ totalUnits: 1 });
    const pod = await startOwnPod();
    const buyer = randomBuyer();
    for (let i = 0; i < 3; i += 1) await attempt(pod.url, sale, sale.token(buyer));
    await attempt(pod.url, sale, 'forged');
    const lines = pod.log.join('\n');
    expect(lines).not.toContain(buyer);
    expect(lines).not.toContain('SOLD_OUT');
    expect(pod.log.length).toBeLessThan(10);
    const metrics = await (await fetch(`${pod.url}/metrics`)).text();
    expect(metrics).toContain('seckill_requests_total{route="reserve",answer="held",code="201",role="seckill"} 1');
    expect(metrics).toContain(
      'seckill_requests_total{route="reserve",answer="SECKILL_ERR_TOKEN_MALFORMED",code="401",role="seckill"} 1',
    );
  });
});
