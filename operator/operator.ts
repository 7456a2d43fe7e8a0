import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from '../services/kit/kafka/port.ts';
import type { Log } from '../services/kit/log.ts';
import type { EventKey } from './api/seckill-event.ts';
import type { Effects } from './effects/effects.ts';
import { ensureTopics } from './effects/ensure-topics.ts';
import type { LeaderMetrics } from './effects/metrics/leader.ts';
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
  /** Begins to show what the leader sees and does; ends at the signal. */
  startMetrics?: (signal: AbortSignal) => LeaderMetrics;
}

/** What a leader does until its leadership ends: keeps the topics, and looks after every event. */
export async function lead(deps: OperatorDeps, signal: AbortSignal): Promise<void> {
  const { platform, effects, log } = deps;
  const shown = deps.startMetrics?.(signal);
  const reconcile = createReconcile({ platform, effects, log, signal, ...(shown === undefined ? {} : { shown }) });
  const queue = createKeyQueue({ work: shown === undefined ? reconcile : shown.timed(reconcile), log });
  shown?.queue(queue);
  const changed = (key: EventKey): void => {
    shown?.changed();
    queue.add(key);
  };
  await platform.workloads.lead(true);
  const watches = [await platform.events.watch(changed), await platform.workloads.watch(changed)];
  const topics = keepTopics(deps, signal);
  const audit = effects.audit.run({ signal, onChange: queue.add });
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  // From now on, also in the middle of what is in hand: whoever leads next may have begun before that has ended.
  await platform.workloads.lead(false);
  await Promise.all([topics, audit, queue.stop(), ...watches.map((watch) => watch.stop())]);
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
