import { Worker } from 'node:worker_threads';
import { type Arrivals, arrivalMs } from './arrivals.ts';
import { WARM_UP_MAX_MS, WORKER_STOP_MS } from './limits.ts';
import type { Part, Progress } from './player.ts';
import { createRandom, shuffled } from './random.ts';
import { type EncodedPlay, type LoadResult, mergePlays } from './result.ts';
import type { WorkerOrder, WorkerReport, WorkerTask } from './worker.ts';

/** A whole load: who comes, when, how stubbornly, over how many connections. */
export interface LoadPlan {
  /** Base URL of the sale, for example `http://127.0.0.1:8080`. */
  url: string;
  namespace: string;
  name: string;
  units: number;
  /** Buyers with their tokens; they come in an order that the seed draws. */
  buyers: readonly { buyer: string; token: string }[];
  arrivals: Arrivals;
  retries: number;
  connections: number;
  workers: number;
  seed: number;
  /** How long a request may stay without an answer; default `ANSWER_TIMEOUT_MS`. */
  answerTimeoutMs?: number;
  /** How long the last buyers may take after the last arrival; default `DRAIN_MAX_MS`. */
  drainMs?: number;
}

/** A load whose connections are open, and which waits for its start. */
export interface ReadyLoad {
  /** Connections that got an answer while warming up, and how many there are. */
  warm: { answered: number; connections: number };
  /** Plays from this instant on (milliseconds since 1970; one in the past means now). Once only. */
  play(startAtMs: number): Promise<LoadResult>;
  close(): Promise<void>;
}

export interface LoadHooks {
  signal: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** Starts the worker threads and opens their connections. After an abort, `play` still brings what was seen until then. */
export async function prepareLoad(plan: LoadPlan, { signal, onProgress }: LoadHooks): Promise<ReadyLoad> {
  const progress: Progress[] = [];
  const hands = tasksOf(plan).map((task, index) =>
    hire(task, (now) => {
      progress[index] = now;
      onProgress?.(total(progress));
    }),
  );
  const stop = (): void => {
    for (const hand of hands) hand.tell({ kind: 'stop' });
  };
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', stop);
    await Promise.all(hands.map((hand) => hand.end()));
  };
  signal.addEventListener('abort', stop);
  try {
    const answered = await within(WARM_UP_MAX_MS, Promise.all(hands.map((hand) => hand.warm)));
    return {
      warm: { answered: answered.reduce((sum, count) => sum + count, 0), connections: plan.connections },
      play: async (startAtMs) => {
        for (const hand of hands) hand.tell({ kind: 'start', atMs: startAtMs });
        if (signal.aborted) stop();
        try {
          return mergePlays(await Promise.all(hands.map((hand) => hand.done)));
        } finally {
          await close();
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Prepares and plays at once. */
export async function runLoad(plan: LoadPlan, hooks: LoadHooks): Promise<LoadResult> {
  const load = await prepareLoad(plan, hooks);
  return load.play(Date.now());
}

function tasksOf(plan: LoadPlan): WorkerTask[] {
  const { buyers, workers, seed, arrivals, connections, ...shared } = plan;
  const random = createRandom(seed);
  const hands = Math.max(1, Math.min(workers, buyers.length, connections));
  const parts: Part[][] = Array.from({ length: hands }, () => []);
  shuffled(buyers, random).forEach((buyer, index) => {
    parts[index % hands]?.push({ ...buyer, atMs: arrivalMs(arrivals, index) });
  });
  return parts.map((own, index) => ({
    ...shared,
    parts: own,
    connections: Math.floor(connections / hands) + (index < connections % hands ? 1 : 0),
    seed: Math.floor(random() * 2 ** 32),
  }));
}

interface Hand {
  warm: Promise<number>;
  done: Promise<EncodedPlay>;
  tell(order: WorkerOrder): void;
  end(): Promise<void>;
}

function hire(task: WorkerTask, onProgress: (progress: Progress) => void): Hand {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: task });
  const warm = Promise.withResolvers<number>();
  const done = Promise.withResolvers<EncodedPlay>();
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.on('message', (report: WorkerReport) => {
    if (report.kind === 'warm') warm.resolve(report.answered);
    else if (report.kind === 'progress') onProgress(report.progress);
    else done.resolve(report.play);
  });
  const fail = (error: Error): void => {
    warm.reject(error);
    done.reject(error);
  };
  worker.once('error', fail);
  worker.once('exit', () => fail(new Error('a worker of the load generator ended before its time')));
  // Whoever awaits them hears of it; the one that nobody awaits must not end the process.
  warm.promise.catch(() => undefined);
  done.promise.catch(() => undefined);
  return {
    warm: warm.promise,
    done: done.promise,
    tell: (order) => worker.postMessage(order),
    end: async () => {
      worker.postMessage({ kind: 'stop' } satisfies WorkerOrder);
      const timer = setTimeout(() => void worker.terminate(), WORKER_STOP_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

function total(progress: readonly Progress[]): Progress {
  const sum: Progress = { started: 0, answered: 0, held: 0 };
  for (const part of progress) {
    if (part === undefined) continue;
    sum.started += part.started;
    sum.answered += part.answered;
    sum.held += part.held;
  }
  return sum;
}

async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the load generator did not warm up in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
