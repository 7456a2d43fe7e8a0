import { setTimeout as delay } from 'node:timers/promises';
import type { Metrics } from '../../../services/kit/metrics.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import type { KeyQueue, Requeue } from '../../queue.ts';
import type { AuditBoard } from '../audit-board.ts';
import type { EffectDeps, Outcome } from '../deps.ts';
import { createEventView, type EventView } from './event-view.ts';
import { PIPELINE_INTERVAL_MS, SERVERS_INTERVAL_MS } from './limits.ts';
import { createPipelineMeasure } from './pipeline.ts';
import { createServersMeasure } from './servers.ts';

/** What a leader shows of what it sees and does. */
export interface LeaderMetrics {
  view: EventView;
  /** Measures each look of the work. */
  timed(work: (key: EventKey) => Promise<Requeue>): (key: EventKey) => Promise<Requeue>;
  acted(action: string, outcome: Outcome['status']): void;
  /** The platform told of a change. */
  changed(): void;
  queue(queue: Pick<KeyQueue, 'depth'>): void;
}

/** Shows the events that are looked at, their pipeline, and the servers. Measures until the signal. */
export function startLeaderMetrics(
  deps: Pick<EffectDeps, 'link' | 'stock' | 'journal' | 'ledger' | 'admin' | 'log'> & {
    board: AuditBoard;
    metrics: Metrics;
  },
  signal: AbortSignal,
): LeaderMetrics {
  const { board, metrics, log } = deps;
  const view = createEventView(metrics);
  metrics.gauge('accuracy', () => board.numbers(view.shows));
  metrics.gauge('auditCompleted', () => board.completedSeconds(view.shows));

  /** What fails is asked again: a number that cannot be had must not stop the others. */
  async function repeat(what: string, intervalMs: number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await work().catch((error: unknown) => log.debug({ err: error, what }, 'a measurement failed'));
      await delay(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  // Nobody waits for their end: what they still ask when the leadership is over is only not shown.
  void repeat('pipeline', PIPELINE_INTERVAL_MS, createPipelineMeasure({ ...deps, view }));
  void repeat('servers', SERVERS_INTERVAL_MS, createServersMeasure(deps));
  const looks = metrics.histogram('reconcileSeconds');
  const errors = metrics.tally('reconcileErrors');
  const actions = metrics.tally('actions');
  let changedAtMs = performance.now();
  metrics.gauge('lastChangeAgeSeconds', () => (performance.now() - changedAtMs) / 1_000);

  return {
    view,
    timed: (work) => async (key) => {
      const beganMs = performance.now();
      try {
        return await work(key);
      } catch (error) {
        errors.add('');
        throw error;
      } finally {
        looks.observe((performance.now() - beganMs) / 1_000);
      }
    },
    acted(action, outcome) {
      actions.cell(action, outcome).count += 1;
    },
    changed() {
      changedAtMs = performance.now();
    },
    queue: ({ depth }) => metrics.gauge('queueDepth', depth),
  };
}
