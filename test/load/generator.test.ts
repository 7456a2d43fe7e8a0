import { fork } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import type { LoadResult } from '../../cli/load/result.ts';
import { type LoadPlan, prepareLoad, runLoad } from '../../cli/load/run.ts';
import { eventually } from '../support/eventually.ts';
import {
  HELD,
  problem,
  type Reply,
  type ScriptedServer,
  startScriptedServer,
  startServerProcess,
} from './scripted-server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const serve = async (reply: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> => {
  const server = await startScriptedServer(reply);
  open.push(server);
  return server;
};

const plan = (url: string, count: number, changes: Partial<LoadPlan> = {}): LoadPlan => ({
  url,
  namespace: 'shop',
  name: 'x',
  units: 1,
  buyers: Array.from({ length: count }, (_, index) => ({ buyer: `buyer-${index}`, token: `token-${index}` })),
  arrivals: { kind: 'burst' },
  retries: 3,
  connections: 16,
  workers: 1,
  seed: 7,
  ...changes,
});

const never = new AbortController().signal;
const play = (options: LoadPlan) => runLoad(options, { signal: never });

test('every buyer asks once, and each answer is counted as what it says', async () => {
  const replies: Reply[] = [
    problem(409, 'SECKILL_ERR_SOLD_OUT'),
    problem(409, 'SECKILL_ERR_LIMIT_EXCEEDED'),
    problem(409, 'SECKILL_ERR_NOT_OPEN'),
    problem(410, 'SECKILL_ERR_CLOSED'),
    problem(503, 'SECKILL_ERR_PAUSED'),
    problem(401, 'SECKILL_ERR_TOKEN_FORGED'),
  ];
  const server = await serve((heard, index) => replies[index] ?? HELD(heard));
  const result = await play(plan(server.url, 10, { connections: 1 }));
  expect(result.answers).toEqual({ held: 4, soldOut: 1, limitExceeded: 1, refused: 4, unknown: 0, failed: 0 });
  expect(server.heard.map((heard) => heard.attempt)).toEqual(Array(10).fill('1'));
  expect(new Set(server.heard.map((heard) => heard.token)).size).toBe(10);
  expect(server.heard.every((heard) => heard.body === '{"units":1}')).toBe(true);
  expect(result.reasons['SECKILL_ERR_TOKEN_FORGED']).toBe(1);
  expect(result.buyers).toBe(10);
});

test('every winner is recorded with his own reservation', async () => {
  const server = await serve(HELD);
  const result = await play(plan(server.url, 50, { workers: 2 }));
  expect(result.winners).toHaveLength(50);
  for (const winner of result.winners) {
    expect(winner.reservationId).toBe(`reservation-of-${winner.buyer.replace('buyer', 'token')}`);
  }
});

test('a missing answer is asked for again with the same token and the next attempt number', async () => {
  const server = await serve((heard) => (heard.attempt === '1' ? 'hang-up' : HELD(heard)));
  const result = await play(plan(server.url, 3));
  expect(result.answers.held).toBe(3);
  expect(result.retries).toBe(3);
  const attempts = Map.groupBy(server.heard, (heard) => heard.token);
  for (const heard of attempts.values()) expect(heard.map(({ attempt }) => attempt)).toEqual(['1', '2']);
});

test('an answer that does not come in time is missing too', async () => {
  const server = await serve((heard) => (heard.attempt === '1' ? 'hang' : HELD(heard)));
  const result = await play(plan(server.url, 1, { answerTimeoutMs: 2_000 }));
  expect(result.answers.held).toBe(1);
  expect(server.heard.map((heard) => heard.attempt)).toEqual(['1', '2']);
});

test('Retry-After of "unknown" and of "overloaded" is waited for', async () => {
  const first: Reply[] = [
    { status: 202, headers: { 'retry-after': '1' }, body: { status: 'unknown', statusUrl: '/v1/events/shop/x' } },
    problem(503, 'SECKILL_ERR_OVERLOADED', { 'retry-after': '1' }),
  ];
  const server = await serve((heard, index) => first[index] ?? HELD(heard));
  const result = await play(plan(server.url, 2));
  expect(result.answers.held).toBe(2);
  expect(result.reasons).toEqual({ 'unknown outcome (202)': 1, SECKILL_ERR_OVERLOADED: 1, held: 2 });
  expect(result.latencyMs.held.p50).toBeGreaterThan(1_000);
  expect(result.latencyMs.held.max).toBeLessThan(30_000);
});

test('a buyer whose event is not known, yet or any more, asks again', async () => {
  const server = await serve((heard) =>
    heard.attempt === '1' ? problem(404, 'SECKILL_ERR_EVENT_UNKNOWN') : heard.attempt === '2' ? HELD(heard) : 'hang',
  );
  const result = await play(plan(server.url, 2));
  expect(result.answers).toMatchObject({ held: 2, refused: 0 });
});

test('buyers who stand in line behind a server that is gone are turned away one by one', async () => {
  const gone = await startScriptedServer(HELD);
  await gone.close();
  const result = await play(plan(gone.url, 20, { connections: 2, retries: 1 }));
  expect(result.answers).toMatchObject({ failed: 20 });
  expect(result.requests).toBe(40);
});

test('a buyer who gives up is unknown when a request may have taken units, and failed when none can have', async () => {
  const unknown = await serve(() => ({ status: 202, body: { status: 'unknown' } }));
  const turnedAway = await serve(() => problem(503, 'SECKILL_ERR_OVERLOADED'));
  const gone = await startScriptedServer(HELD);
  await gone.close();
  const few = { retries: 1 };
  const results = await Promise.all([unknown, turnedAway, gone].map(({ url }) => play(plan(url, 2, few))));
  expect(results.map(({ answers }) => [answers.unknown, answers.failed])).toEqual([
    [2, 0],
    [0, 2],
    [0, 2],
  ]);
  expect(results[0]?.unknownBuyers.toSorted()).toEqual(['buyer-0', 'buyer-1']);
  expect(results[0]?.requests).toBe(4);
});

test('a definite answer after an unknown one counts', async () => {
  const server = await serve((heard) =>
    heard.attempt === '1' ? { status: 202, body: {} } : problem(409, 'SECKILL_ERR_SOLD_OUT'),
  );
  const result = await play(plan(server.url, 2));
  expect(result.answers).toMatchObject({ soldOut: 2, unknown: 0 });
  // Without a place to look, it was the edge that lost the answer of a pod.
  expect(result.reasons).toEqual({ 'lost by the edge (202)': 2, SECKILL_ERR_SOLD_OUT: 2 });
});

test('buyers come at the rate that was asked for, however slow the server is', async () => {
  const server = await serve((heard) => ({ ...(HELD(heard) as object), status: 201, afterMs: 300 }));
  const result = await play(plan(server.url, 100, { arrivals: { kind: 'rate', perSecond: 200 }, connections: 100 }));
  expect(result.elapsedMs).toBeGreaterThan(99 * 5 + 290);
  // One after the other they would need 30 s.
  expect(result.elapsedMs).toBeLessThan(15_000);
  expect(result.latencyMs.held.p50).toBeGreaterThanOrEqual(295);
});

test('a request that waits for a connection has its wait in its latency', async () => {
  const server = await serve((heard) => ({ ...(HELD(heard) as object), status: 201, afterMs: 50 }));
  const result = await play(plan(server.url, 20, { connections: 1 }));
  expect(result.latencyMs.held.max).toBeGreaterThan(20 * 50);
  expect(result.generator.connectionWaitMs.max).toBeGreaterThan(19 * 50);
});

test('a server that stands still shows in the latency of all who came meanwhile, not of the one who met it', async () => {
  const server = await startServerProcess();
  open.push(server);
  const perSecond = 200;
  const load = await prepareLoad(plan(server.url, 400, { arrivals: { kind: 'rate', perSecond }, connections: 4 }), {
    signal: never,
    onProgress: ({ answered }) => {
      if (answered > 50 && stoppedAt === 0) {
        stoppedAt = Date.now();
        process.kill(server.pid, 'SIGSTOP');
        setTimeout(() => process.kill(server.pid, 'SIGCONT'), 600);
      }
    },
  });
  let stoppedAt = 0;
  const result = await load.play(Date.now());
  expect(stoppedAt).toBeGreaterThan(0);
  expect(result.answers.held).toBe(400);
  // About 120 of 400 came while it stood; a closed model with 4 connections would have seen 4 slow answers, 1 %.
  expect(result.latencyMs.held.p90).toBeGreaterThan(150);
  expect(result.latencyMs.held.max).toBeGreaterThan(500);
});

test('the generator says so when it falls behind itself, and only then', async () => {
  const server = await startServerProcess();
  open.push(server);
  const paced = plan(server.url, 100, { arrivals: { kind: 'rate', perSecond: 100 } });
  // A machine that is busy with other things may hold it up once, and it says so then.
  await eventually(async () => !(await play(paced)).generator.fellBehind);

  const generator = fork(new URL('./generator-process.ts', import.meta.url));
  open.push({ close: () => generator.kill('SIGKILL') });
  const held = await new Promise<LoadResult>((resolve) => {
    let stopped = false;
    generator.on('message', (message: { started?: number; result?: LoadResult }) => {
      if (message.result !== undefined) resolve(message.result);
      if (stopped || (message.started ?? 0) < 20) return;
      stopped = true;
      generator.kill('SIGSTOP');
      setTimeout(() => generator.kill('SIGCONT'), 400);
    });
    generator.send(plan(server.url, 400, { arrivals: { kind: 'rate', perSecond: 100 } }));
  });
  expect(held.generator.fellBehind).toBe(true);
  expect(held.generator.lagMs.max).toBeGreaterThan(200);
  expect(held.latencyMs.held.max).toBeGreaterThan(200);
});

test('a stopped load brings what was seen until then', async () => {
  const stop = new AbortController();
  const server = await serve((heard, index) => (index < 5 ? HELD(heard) : 'hang'));
  const load = await prepareLoad(plan(server.url, 10, { connections: 8 }), { signal: stop.signal });
  const playing = load.play(Date.now());
  await eventually(() => server.heard.length >= 10 || server.heard.length >= 8 + 5);
  stop.abort();
  const result = await playing;
  expect(result.answers.held).toBe(5);
  expect(result.answers.unknown + result.answers.failed).toBe(5);
  expect(result.answers.unknown).toBe(server.heard.length - 5);
});

test('the same seed brings the buyers in the same order, another seed in another', async () => {
  const order = async (seed: number): Promise<string[]> => {
    const server = await serve(HELD);
    await play(plan(server.url, 30, { connections: 1, seed }));
    return server.heard.map((heard) => heard.token);
  };
  const first = await order(1);
  expect(await order(1)).toEqual(first);
  expect(await order(2)).not.toEqual(first);
});

test('a load of nobody ends at once', async () => {
  const server = await serve(HELD);
  const result = await play(plan(server.url, 0));
  expect(result.buyers).toBe(0);
  expect(result.latencyMs.held.p50).toBe(0);
});
