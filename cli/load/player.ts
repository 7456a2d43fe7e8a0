import { performance } from 'node:perf_hooks';
import { type Connections, createConnections, type OutgoingRequest } from './connections.ts';
import { createLatency, type Latency } from './latency.ts';
import { DRAIN_MAX_MS, RETRY_JITTER_SHARE, RETRY_WAIT_FIRST_MS, RETRY_WAIT_LAST_MS, TICK_MS } from './limits.ts';
import { type Answer, judge, OUTCOMES, type Outcome } from './outcome.ts';
import type { Random } from './random.ts';

/** One buyer's part: who he is, his admission token, and when he comes (milliseconds after the start). */
export interface Part {
  buyer: string;
  token: string;
  atMs: number;
}

export interface PlayerOptions {
  url: string;
  namespace: string;
  name: string;
  units: number;
  /** In order of `atMs`. */
  parts: readonly Part[];
  retries: number;
  connections: number;
  random: Random;
  answerTimeoutMs?: number;
  drainMs?: number;
}

/** What a buyer's side wrote down about a success. */
export interface Winner {
  buyer: string;
  reservationId: string;
  units: number;
}

/** What one player saw. Latencies run from the intended start to the definite answer, retries and waits included. */
export interface Play {
  answers: Record<Outcome, number>;
  latency: Record<Outcome, Latency>;
  winners: Winner[];
  /** Buyers who never got a definite answer, although a request of theirs may have taken units. */
  unknownBuyers: string[];
  /** How often each definite answer, and each reason to ask again, was heard. */
  reasons: Record<string, number>;
  requests: number;
  retries: number;
  /** How much later than intended the scheduler started an attempt: the generator's own fault. */
  lag: Latency;
  /** How long a request stood in line because every connection was busy: the server's slowness, bounded by us. */
  wait: Latency;
  /** Share of the time that this thread was busy. */
  utilization: number;
  /** From the first intended start to the last answer, in milliseconds. */
  elapsedMs: number;
  heard: Heard;
}

/** Each definite answer in the order in which they came; `count` of them, all lists alike. */
export interface Heard {
  count: number;
  /** Milliseconds after the start of the play. */
  atMs: Float64Array;
  latencyMs: Float32Array;
  /** Index into OUTCOMES. */
  outcome: Uint8Array;
}

export interface Progress {
  started: number;
  answered: number;
  held: number;
}

export interface Player {
  /** Opens all connections; answers how many got an answer. */
  warm(): Promise<number>;
  /** Plays all parts from `startMs` on (`performance.now()` of this thread). Ends early when the signal aborts. */
  play(startMs: number, signal: AbortSignal): Promise<Play>;
  progress(): Progress;
  close(): Promise<void>;
}

interface State {
  /** Requests sent so far, by buyer. */
  sends: Uint8Array;
  mayBeTaken: Uint8Array;
  /** 1 while a request is on a connection. */
  inFlight: Uint8Array;
  settled: Uint8Array;
}

export function createPlayer(options: PlayerOptions): Player {
  const connections = createConnections({
    url: options.url,
    count: options.connections,
    ...(options.answerTimeoutMs === undefined ? {} : { answerTimeoutMs: options.answerTimeoutMs }),
  });
  const eventPath = `/v1/events/${options.namespace}/${options.name}`;
  const progress: Progress = { started: 0, answered: 0, held: 0 };
  return {
    warm: () => connections.warm(eventPath),
    play: (startMs, signal) =>
      play({ options, connections, progress, path: `${eventPath}/reservations` }, startMs, signal),
    progress: () => ({ ...progress }),
    close: () => connections.close(),
  };
}

interface Stage {
  options: PlayerOptions;
  connections: Connections;
  progress: Progress;
  path: string;
}

/** The open model: a list of intended starts, worked off by the clock, whatever the server does. */
function play(stage: Stage, startMs: number, signal: AbortSignal): Promise<Play> {
  const { options, progress } = stage;
  const { parts } = options;
  const state: State = {
    sends: new Uint8Array(parts.length),
    mayBeTaken: new Uint8Array(parts.length),
    inFlight: new Uint8Array(parts.length),
    settled: new Uint8Array(parts.length),
  };
  const result = emptyPlay(parts.length);
  const lastArrivalMs = startMs + (parts.at(-1)?.atMs ?? 0);
  const drainMs = options.drainMs ?? DRAIN_MAX_MS;
  const began = performance.eventLoopUtilization();
  const retryTimers = new Set<NodeJS.Timeout>();
  let next = 0;

  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let over = false;

    const sender = createSender(stage, state, result, { startMs, retryTimers, onSettled });

    function onSettled(): void {
      if (progress.answered === parts.length) finish();
    }

    function finish(): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      for (const retry of retryTimers) clearTimeout(retry);
      signal.removeEventListener('abort', giveUp);
      result.elapsedMs = performance.now() - startMs;
      result.utilization = performance.eventLoopUtilization(began).utilization;
      resolve(result);
    }

    function giveUp(): void {
      for (let index = 0; index < parts.length; index += 1) sender.giveUp(index);
      finish();
    }

    function tick(): void {
      const now = performance.now();
      while (next < parts.length) {
        const dueMs = startMs + (parts[next] as Part).atMs;
        if (dueMs > now) break;
        result.lag.record(performance.now() - dueMs);
        progress.started += 1;
        sender.send(next);
        next += 1;
      }
      if (next < parts.length) {
        timer = setTimeout(tick, Math.max(TICK_MS, startMs + (parts[next] as Part).atMs - now));
      } else if (!over) {
        timer = setTimeout(giveUp, Math.max(TICK_MS, lastArrivalMs + drainMs - now));
      }
    }

    signal.addEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    else if (parts.length === 0) finish();
    else tick();
  });
}

interface Sender {
  send(index: number): void;
  giveUp(index: number): void;
}

function createSender(
  { options, connections, progress, path }: Stage,
  state: State,
  result: Play,
  run: { startMs: number; retryTimers: Set<NodeJS.Timeout>; onSettled(): void },
): Sender {
  const { parts, random } = options;
  const body = Buffer.from(JSON.stringify({ units: options.units }));

  function settle(index: number, outcome: Outcome): void {
    if (state.settled[index] === 1) return;
    state.settled[index] = 1;
    const part = parts[index] as Part;
    const nowMs = performance.now() - run.startMs;
    result.answers[outcome] += 1;
    result.latency[outcome].record(nowMs - part.atMs);
    const { heard } = result;
    heard.atMs[heard.count] = nowMs;
    heard.latencyMs[heard.count] = nowMs - part.atMs;
    heard.outcome[heard.count] = OUTCOMES.indexOf(outcome);
    heard.count += 1;
    progress.answered += 1;
    if (outcome === 'held') progress.held += 1;
    if (outcome === 'unknown') result.unknownBuyers.push(part.buyer);
    run.onSettled();
  }

  function giveUp(index: number): void {
    settle(index, state.mayBeTaken[index] === 1 || state.inFlight[index] === 1 ? 'unknown' : 'failed');
  }

  function onAnswer(index: number, answer: Answer): void {
    state.inFlight[index] = 0;
    if (state.settled[index] === 1) return;
    const verdict = judge(answer);
    result.reasons[verdict.reason] = (result.reasons[verdict.reason] ?? 0) + 1;
    if (verdict.kind === 'final') {
      if (verdict.outcome === 'held') {
        const { reservationId, units } = verdict;
        result.winners.push({ buyer: (parts[index] as Part).buyer, reservationId, units });
      }
      settle(index, verdict.outcome);
      return;
    }
    if (verdict.mayBeTaken) state.mayBeTaken[index] = 1;
    const sends = state.sends[index] as number;
    if (sends > options.retries) {
      giveUp(index);
      return;
    }
    result.retries += 1;
    const backOffMs = Math.min(RETRY_WAIT_FIRST_MS * 2 ** (sends - 1), RETRY_WAIT_LAST_MS);
    const waitMs = (verdict.waitMs ?? backOffMs) * (1 + random() * RETRY_JITTER_SHARE);
    const timer = setTimeout(() => {
      run.retryTimers.delete(timer);
      send(index);
    }, waitMs);
    run.retryTimers.add(timer);
  }

  function send(index: number): void {
    const sends = (state.sends[index] as number) + 1;
    state.sends[index] = sends;
    result.requests += 1;
    const queuedMs = performance.now();
    connections.send({
      request: () => {
        state.inFlight[index] = 1;
        result.wait.record(performance.now() - queuedMs);
        return requestOf(index, sends);
      },
      onAnswer: (answer) => onAnswer(index, answer),
    });
  }

  function requestOf(index: number, sends: number): OutgoingRequest {
    const authorization = `Bearer ${(parts[index] as Part).token}`;
    const headers = ['authorization', authorization, 'content-type', 'application/json', 'seckill-attempt', `${sends}`];
    return { method: 'POST', path, headers, body };
  }

  return { send, giveUp };
}

function emptyPlay(buyers: number): Play {
  const entries = OUTCOMES.map((outcome) => [outcome, createLatency()] as const);
  return {
    answers: { held: 0, soldOut: 0, limitExceeded: 0, refused: 0, unknown: 0, failed: 0 },
    latency: Object.fromEntries(entries) as Record<Outcome, Latency>,
    winners: [],
    unknownBuyers: [],
    reasons: {},
    requests: 0,
    retries: 0,
    lag: createLatency(),
    wait: createLatency(),
    utilization: 0,
    elapsedMs: 0,
    heard: {
      count: 0,
      atMs: new Float64Array(buyers),
      latencyMs: new Float32Array(buyers),
      outcome: new Uint8Array(buyers),
    },
  };
}
