import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from '../services/kit/kafka/port.ts';
import type { Log } from '../services/kit/log.ts';
import type { Effects } from './effects/effects.ts';
import { ensureTopics } from './effects/ensure-topics.ts';
import { TOPIC_RETRY_MS } from './limits.ts';
import type { Platform } from './platform/platform.ts';
import { createKeyQueue } from './queue.ts';
import { createReconcile } from './reconcile.ts';

export interface OperatorDeps {
  platform: Platform;
  effects: Effects;
  admin: Admin;
  replicationFactor: number;
  log: Log;
}

/** What a leader does until its leadership ends: keeps the topics, and looks after every event. */
export async function lead(deps: OperatorDeps, signal: AbortSignal): Promise<void> {
  const { platform, effects, log } = deps;
  const queue = createKeyQueue({ work: createReconcile({ platform, effects, log, signal }), log });
  await platform.workloads.lead(true);
  const watches = [await platform.events.watch(queue.add), await platform.workloads.watch(queue.add)];
  const topics = keepTopics(deps, signal);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await Promise.all([topics, ...watches.map((watch) => watch.stop())]);
  await queue.stop();
  await platform.workloads.lead(false);
}

async function keepTopics({ admin, replicationFactor, log }: OperatorDeps, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      return await ensureTopics(admin, replicationFactor);
    } catch (error) {
      if (attempt === 0) log.warn({ err: error }, 'the topics could not be made, and are tried again and again');
    }
    await delay(TOPIC_RETRY_MS, undefined, { signal }).catch(() => {});
  }
}
