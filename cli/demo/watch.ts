import { setTimeout as pause } from 'node:timers/promises';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import { readEvents } from '../../operator/platform/host/state.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import { WATCH_EVERY_MS } from './limits.ts';

export interface Watch {
  /** The first status that fits; or, when time is up or the sale failed, a sentence with what the operator says. */
  reach(what: string, fits: (status: SeckillEventStatus) => boolean, limitMs: number): Promise<Reached>;
  /** The same for what the demo cannot go on without: rejects with that sentence. Both reject at an abort. */
  until(what: string, fits: (status: SeckillEventStatus) => boolean, limitMs: number): Promise<SeckillEventStatus>;
  stop(): Promise<void>;
}

type Reached = { status: SeckillEventStatus } | { late: string };

interface WatchOptions {
  stateDir: string;
  event: { namespace: string; name: string };
  onPhase(status: SeckillEventStatus): void;
  signal: AbortSignal;
}

/** Follows the status of one event. It is read from the state folder, as `seckill status` reads it. */
export function watchEvent({ stateDir, event, onPhase, signal }: WatchOptions): Watch {
  const key = eventKeyOf(event);
  const stopped = new AbortController();
  const over = AbortSignal.any([signal, stopped.signal]);
  let latest: SeckillEventStatus | undefined;
  let broken: unknown;

  async function follow(): Promise<void> {
    while (!over.aborted) {
      const status = (await readEvents(stateDir)).find(({ metadata }) => eventKeyOf(metadata) === key)?.status;
      if (status !== undefined) {
        const changed = status.phase !== latest?.phase;
        latest = status;
        if (changed) onPhase(status);
      }
      await pause(WATCH_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    }
  }
  const following = follow().catch((error: unknown) => {
    broken = error;
  });

  const reach: Watch['reach'] = async (what, fits, limitMs) => {
    const deadlineMs = Date.now() + limitMs;
    for (;;) {
      signal.throwIfAborted();
      if (broken !== undefined) throw broken;
      if (latest !== undefined && fits(latest)) return { status: latest };
      if (latest?.phase === 'Failed') return { late: sentenceOf(`The sale failed before it was ${what}.`, latest) };
      if (Date.now() > deadlineMs) {
        return { late: sentenceOf(`The sale was not ${what} within ${limitMs / 1_000} s.`, latest) };
      }
      await pause(WATCH_EVERY_MS / 2);
    }
  };

  return {
    reach,
    until: async (what, fits, limitMs) => {
      const reached = await reach(what, fits, limitMs);
      if ('late' in reached) throw new SeckillError('SECKILL_ERR_UNAVAILABLE', reached.late);
      return reached.status;
    },
    stop: async () => {
      stopped.abort();
      await following;
    },
  };
}

export function isTrue(status: SeckillEventStatus, type: string): boolean {
  return status.conditions.some((condition) => condition.type === type && condition.status === 'True');
}

function sentenceOf(what: string, status: SeckillEventStatus | undefined): string {
  const failed = (status?.checks ?? [])
    .filter((check) => !check.passed)
    .map((check) => `${check.name}: ${check.message}`);
  const said = status === undefined ? 'the operator says nothing of it' : `${status.phase}: ${status.message}`;
  return [`${what} ${said}`, ...failed].join('\n  ');
}
