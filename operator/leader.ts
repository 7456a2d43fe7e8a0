import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../services/kit/log.ts';
import { LEASE_DURATION_MS, LEASE_GIVE_UP_MS, LEASE_RENEW_MS } from './limits.ts';
import type { LeaseRecord, LeaseStore } from './platform/platform.ts';

export interface LeaderOptions {
  lease: LeaseStore;
  /** Unique for each process. */
  holder: string;
  log: Log;
  /** Aborted when the process stops: a lease that is held is given back. */
  signal: AbortSignal;
  durationMs?: number;
  renewMs?: number;
  giveUpMs?: number;
  /** Milliseconds that only go forward; nothing is compared with another machine's clock. */
  monotonicMs?: () => number;
}

/**
 * Waits until the lease is ours, then runs `lead` until the lease is lost or we are told to stop. A waiting operator
 * takes the lease when it has not seen the record change for its whole duration, by its own clock. A leader that
 * cannot renew stops by itself before that time is over. Should both believe to lead all the same, every effect is
 * fenced. Resolves with `lost` when leadership was lost, though some work may not have ended, and with `stopped` when the
 * signal came.
 */
export async function leadWhenElected(
  options: LeaderOptions,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<'lost' | 'stopped'> {
  const { lease, holder, log, signal, durationMs = LEASE_DURATION_MS, renewMs = LEASE_RENEW_MS } = options;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const mine = await acquire({ ...options, durationMs, renewMs, monotonicMs });
  if (mine === undefined) return 'stopped';
  log.info({ holder, transitions: mine.record.transitions }, 'leading');

  const over = new AbortController();
  const giveUpMs = options.giveUpMs ?? LEASE_GIVE_UP_MS;
  // By a timer: it must fire although a call for the lease hangs. Counted from when a renewal was sent, because whoever
  // waits may have seen it from then on.
  const giveUpAfter = (sentAtMs: number) =>
    setTimeout(
      () => {
        log.error({ holder }, 'the lease could not be renewed in time');
        over.abort();
      },
      Math.max(0, sentAtMs + giveUpMs - monotonicMs()),
    );
  let giveUp = giveUpAfter(mine.sentAtMs);
  const working = lead(AbortSignal.any([signal, over.signal])).finally(() => over.abort());
  let { version, record } = mine;
  while (!signal.aborted && !over.signal.aborted) {
    await pause(renewMs, AbortSignal.any([signal, over.signal]));
    if (signal.aborted || over.signal.aborted) break;
    const next: LeaseRecord = { ...record, renewals: record.renewals + 1 };
    const sentAtMs = monotonicMs();
    try {
      const written = await lease.write(next, version);
      const now = written === undefined ? await lease.read() : undefined;
      if (written !== undefined) {
        clearTimeout(giveUp);
        giveUp = giveUpAfter(sentAtMs);
        ({ version, record } = { version: written, record: next });
      } else if (now?.record.holder !== holder) {
        log.error({ holder, now: now?.record.holder }, 'the lease was taken by another operator');
        over.abort();
      } else {
        ({ version, record } = now);
      }
    } catch (error) {
      log.warn({ err: error }, 'the lease could not be renewed');
    }
  }
  clearTimeout(giveUp);
  const lost = over.signal.aborted && !signal.aborted;
  over.abort();
  // What hangs then is left to hang: by the time that this takes, another one may lead.
  if (lost) await Promise.race([working, delay(durationMs - giveUpMs, undefined, { ref: false })]);
  else await working;
  if (!lost) await lease.write({ ...record, holder: '' }, version).catch(() => undefined);
  return lost ? 'lost' : 'stopped';
}

async function acquire(
  options: LeaderOptions & { durationMs: number; renewMs: number; monotonicMs: () => number },
): Promise<{ version: string; record: LeaseRecord; sentAtMs: number } | undefined> {
  const { lease, holder, log, signal, durationMs, renewMs, monotonicMs } = options;
  let seen: { version: string | undefined; sinceMs: number } | undefined;
  while (!signal.aborted) {
    try {
      const found = await lease.read();
      if (seen === undefined || seen.version !== found?.version)
        seen = { version: found?.version, sinceMs: monotonicMs() };
      const free = found === undefined || found.record.holder === '';
      const expired = found !== undefined && monotonicMs() - seen.sinceMs >= found.record.durationMs;
      if (free || expired) {
        const transitions = (found?.record.transitions ?? -1) + 1;
        const record: LeaseRecord = { holder, renewals: 0, durationMs, transitions };
        const sentAtMs = monotonicMs();
        const version = await lease.write(record, found?.version);
        if (version !== undefined) return { version, record, sentAtMs };
      }
    } catch (error) {
      log.warn({ err: error }, 'the lease could not be read');
    }
    await pause(renewMs, signal);
  }
  return undefined;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
