import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { LoadResult } from '../cli/load/result.ts';
import { runLoad } from '../cli/load/run.ts';
import { admit } from '../cli/tokens.ts';
import { POD_NODE_FLAGS } from '../services/kit/node-flags.ts';
import { readTokenKeys } from '../services/kit/token-keys.ts';
import { HINT_REFRESH_MS } from '../services/seckill/limits.ts';
import { freePort } from '../tools/servers/ports.ts';
import { figureOf, type Part, spoken, spreadOf } from './figure.ts';
import {
  HINT_TEACHING_MS,
  OPEN_CONNECTIONS,
  OPEN_SECONDS,
  OPEN_SHARE,
  READY_MAX_MS,
  ROUNDS,
  ROUTE_CONNECTIONS,
  ROUTE_FRESH_TOKENS,
  ROUTE_REPEATED_TOKENS,
  ROUTE_ROUND_MS,
  ROUTE_WARM_UP_MS,
} from './limits.ts';
import { OTHER_CORE, type Pinned, pin, SERVER_CORE, startPinned } from './pinned.ts';
import { cpuMicros, memoryMiB } from './process-facts.ts';
import { redisUse } from './redis-facts.ts';
import type { AskerOrder, AskerReport, AskerTask } from './route-asker.ts';
import { type Bench, type BenchSale, newSoldOutSale, openSale, register } from './sale.ts';
import { benchScrapes } from './scrapes.ts';

interface Pod extends Pinned {
  port: number;
}

/** One round against one pod. CPU in microseconds a request. */
interface Round {
  perSecond: number;
  podCpu: number;
  redisCpu: number;
  scriptCalls: number;
  elapsedMs: number;
  /** Share of its core that the pod used. */
  podBusy: number;
}

/** What is to be stopped at the end, the latest first: also when a signal ends the benchmark in the middle. */
type Closing = (() => unknown)[];

interface Stage {
  bench: Bench;
  redisPid: number;
  keysFile: string;
  asker: Pinned;
}

/**
 * The purchase route in a closed loop: a pod alone on one core, everything else on the other. Three ways in turn: the
 * same route with the stock stubbed, every attempt wins, and every attempt is refused by the hint. The ratios are of
 * requests a second of the pod's CPU time: what a core serves when it is used up, and does not move when somebody else
 * takes a part of it.
 */
export async function benchRoute(o: {
  bench: Bench;
  redisUrl: string;
  redisPid: number;
  keysFile: string;
  closing: Closing;
}): Promise<Part> {
  const { bench, redisPid, keysFile, closing } = o;
  pin(redisPid, OTHER_CORE);
  const open = await openSale(bench);
  const soldOut = await newSoldOutSale(bench);
  await register(bench, open);
  await register(bench, soldOut);
  const env = {
    NODE_OPTIONS: POD_NODE_FLAGS.join(' '),
    SECKILL_REDIS_URL: o.redisUrl,
    SECKILL_TOKEN_KEYS_FILE: keysFile,
    SECKILL_LOG_LEVEL: 'error',
  };
  const asker = startPinned(OTHER_CORE, new URL('./route-asker.ts', import.meta.url));
  closing.push(asker.stop);
  const stub = await startPod(new URL('./route-stub-pod.ts', import.meta.url), env, closing);
  const pod = await startPod(new URL('../services/seckill/main.ts', import.meta.url), env, closing);
  const stage: Stage = { bench, redisPid, keysFile, asker };
  const stubbed = (durationMs: number) => ask(stage, stub, open, { durationMs, repeat: true, status: '201' });
  const wins = (durationMs: number) => ask(stage, pod, open, { durationMs, repeat: false, status: '201' });
  const refusals = (durationMs: number) => ask(stage, pod, soldOut, { durationMs, repeat: true, status: '409' });
  for (const way of [stubbed, wins, refusals]) await way(ROUTE_WARM_UP_MS);
  const rounds: { stubbed: Round; wins: Round; refusals: Round }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [baseline, won] = [await stubbed(ROUTE_ROUND_MS), await wins(ROUTE_ROUND_MS)];
    // The hint of the last round is too old; the first refusals teach it anew.
    await refusals(HINT_TEACHING_MS);
    rounds.push({ stubbed: baseline, wins: won, refusals: await refusals(ROUTE_ROUND_MS) });
  }
  const memory = memoryMiB(pod.pid);
  const most = spreadOf(rounds.map(({ wins: { perSecond } }) => perSecond)).median;
  const play = (prefix: string, seconds: number) =>
    playOpen(stage, pod, open, { rate: most * OPEN_SHARE, prefix, seconds });
  const played = await play('open', OPEN_SECONDS);
  const { figures, details } = report(rounds, memory, played);
  const scraped = await benchScrapes(`http://127.0.0.1:${pod.port}/metrics`, play);
  return { figures: [...figures, ...scraped.figures], details: [...details, ...scraped.details] };
}

async function startPod(file: URL, env: Record<string, string>, closing: Closing): Promise<Pod> {
  const port = await freePort();
  const pod = startPinned(SERVER_CORE, file, { ...env, SECKILL_PORT: String(port) });
  closing.push(pod.stop);
  const deadlineMs = Date.now() + READY_MAX_MS;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return { ...pod, port };
    if (Date.now() > deadlineMs) throw new Error(`${file.pathname} did not get ready`);
    await pause(50);
  }
}

async function ask(
  { bench, redisPid, keysFile, asker }: Stage,
  pod: Pod,
  { entry }: BenchSale,
  how: { durationMs: number; repeat: boolean; status: string },
): Promise<Round> {
  const { eventId, namespace, name, endMs } = entry;
  const { durationMs, repeat } = how;
  const task: AskerTask = {
    durationMs,
    repeat,
    keysFile,
    port: pod.port,
    eventId,
    eventKey: `${namespace}/${name}`,
    endMs,
    tokens: repeat ? ROUTE_REPEATED_TOKENS : ROUTE_FRESH_TOKENS,
    connections: ROUTE_CONNECTIONS,
  };
  await tell(asker, { kind: 'mint', task });
  const before = {
    pod: cpuMicros(pod.pid),
    redis: cpuMicros(redisPid),
    calls: (await redisUse(bench.link)).scriptCalls,
  };
  const report = await tell(asker, { kind: 'go' });
  if (report.kind !== 'done') throw new Error('the asker answered out of turn');
  const { result } = report;
  const others = Object.keys(result.statuses).filter((status) => status !== how.status);
  if (others.length > 0) throw new Error(`the pod answered ${others.join(', ')} where ${how.status} is measured`);
  const podMicros = cpuMicros(pod.pid) - before.pod;
  return {
    perSecond: (result.requests * 1_000) / result.elapsedMs,
    podCpu: podMicros / result.requests,
    redisCpu: (cpuMicros(redisPid) - before.redis) / result.requests,
    elapsedMs: result.elapsedMs,
    scriptCalls: (await redisUse(bench.link)).scriptCalls - before.calls,
    podBusy: podMicros / 1_000 / result.elapsedMs,
  };
}

async function tell(asker: Pinned, order: AskerOrder): Promise<AskerReport> {
  asker.child.send(order);
  const [report] = await once(asker.child, 'message');
  return report as AskerReport;
}

/** The open model at a share of the maximum: buyers come by the clock, latency runs from their intended start. */
async function playOpen(
  { keysFile }: Stage,
  pod: Pod,
  { entry }: BenchSale,
  { rate, prefix, seconds }: { rate: number; prefix: string; seconds: number },
): Promise<LoadResult> {
  const perSecond = Math.round(rate);
  const count = perSecond * seconds;
  const { eventId, endMs, namespace, name } = entry;
  const keys = readTokenKeys(keysFile);
  const buyers = admit(keys, { eventId, endMs }, { count, nowMs: Date.now(), prefix });
  return runLoad(
    {
      url: `http://127.0.0.1:${pod.port}`,
      namespace,
      name,
      units: 1,
      buyers,
      arrivals: { kind: 'rate', perSecond },
      retries: 0,
      connections: OPEN_CONNECTIONS,
      workers: 1,
      seed: 1,
    },
    { signal: new AbortController().signal },
  );
}

function report(
  rounds: readonly { stubbed: Round; wins: Round; refusals: Round }[],
  memory: { now: number; most: number },
  open: LoadResult,
): Part {
  const calls = rounds.reduce((sum, { refusals }) => sum + refusals.scriptCalls, 0);
  const elapsedMs = rounds.reduce((sum, { refusals }) => sum + refusals.elapsedMs, 0);
  const allowed = rounds.reduce((sum, { refusals }) => sum + Math.ceil(refusals.elapsedMs / HINT_REFRESH_MS) + 1, 0);
  const ways = ['stubbed', 'wins', 'refusals'] as const;
  const names = { stubbed: 'stock stubbed', wins: 'every attempt wins', refusals: 'sold out by the hint' };
  const { held } = open.latencyMs;
  return {
    figures: [
      figureOf(
        'purchase route, every attempt wins',
        0.7,
        rounds.map(({ stubbed, wins }) => ({ own: 1 / wins.podCpu, baseline: 1 / stubbed.podCpu })),
      ),
      figureOf(
        'purchase route, sold out by the hint',
        0.9,
        rounds.map(({ stubbed, refusals }) => ({ own: 1 / refusals.podCpu, baseline: 1 / stubbed.podCpu })),
        calls <= allowed,
      ),
    ],
    details: [
      ...ways.flatMap((way) => {
        const of = (read: (round: Round) => number): number[] => rounds.map((round) => read(round[way]));
        return [
          {
            what: `purchase route, ${names[way]}`,
            value: spoken(
              of(({ perSecond }) => perSecond),
              'requests/s',
            ),
          },
          {
            what: `purchase route, ${names[way]}: CPU of the seckill process`,
            value: `${spoken(
              of(({ podCpu }) => podCpu),
              'µs a request',
              1,
            )}, ${spoken(
              of(({ podBusy }) => podBusy * 100),
              '% of its core',
            )}`,
          },
          {
            what: `purchase route, ${names[way]}: CPU of Redis`,
            value: spoken(
              of(({ redisCpu }) => redisCpu),
              'µs a request',
              1,
            ),
          },
        ];
      }),
      {
        what: 'Redis script calls while sold out by the hint',
        value: `${calls} in ${(elapsedMs / 1_000).toFixed(1)} s, ${allowed} allowed`,
      },
      {
        what: 'memory of the seckill process under load',
        value: `${Math.round(memory.most)} MiB RSS at most, ${Math.round(memory.now)} MiB at the end (200 allowed)`,
      },
      {
        what: `open model at ${OPEN_SHARE * 100} % of the maximum`,
        value:
          `${Math.round(open.requestsPerSecond).toLocaleString('en-US')} purchases/s, p50 ${held.p50.toFixed(1)} ms, ` +
          `p99 ${held.p99.toFixed(1)} ms, p99.9 ${held.p999.toFixed(1)} ms, from the intended start` +
          `${open.generator.fellBehind ? ' (the generator fell behind itself)' : ''}`,
      },
    ],
  };
}
