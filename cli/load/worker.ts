import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { PROGRESS_EVERY_MS } from './limits.ts';
import { createPlayer, type PlayerOptions, type Progress } from './player.ts';
import { createRandom } from './random.ts';
import { type EncodedPlay, encodePlay } from './result.ts';

/** What a worker thread is given. */
export interface WorkerTask extends Omit<PlayerOptions, 'random'> {
  seed: number;
}

/** What it is told, in this order; `stop` at any time. */
export type WorkerOrder = { kind: 'start'; atMs: number } | { kind: 'stop' };

/** What it tells. */
export type WorkerReport =
  | { kind: 'warm'; answered: number }
  | { kind: 'progress'; progress: Progress }
  | { kind: 'done'; play: EncodedPlay };

/** A thread of its own, so that neither the display nor the platform's care can delay a buyer. */
async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('this file runs as a worker thread only');
  const task = workerData as WorkerTask;
  const player = createPlayer({ ...task, random: createRandom(task.seed) });
  const stop = new AbortController();
  const start = new Promise<number>((resolve) => {
    port.on('message', (order: WorkerOrder) => {
      if (order.kind === 'start') resolve(order.atMs);
      else {
        stop.abort();
        resolve(Date.now());
      }
    });
  });
  const report = (message: WorkerReport): void => port.postMessage(message);
  report({ kind: 'warm', answered: await player.warm() });
  // Wall clock to this thread's monotonic clock, once: later steps of the wall clock do not bend the schedule.
  const startMs = performance.now() + ((await start) - Date.now());
  const timer = setInterval(() => report({ kind: 'progress', progress: player.progress() }), PROGRESS_EVERY_MS);
  const play = await player.play(startMs, stop.signal);
  clearInterval(timer);
  report({ kind: 'progress', progress: player.progress() });
  report({ kind: 'done', play: encodePlay(play) });
  await player.close();
  port.close();
}

await main();
