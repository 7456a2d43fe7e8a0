import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from '../../ledger/ledger.ts';
import type { DueReturn } from '../../ledger/rows.ts';
import type { StockRef } from '../../lua/stock.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Log } from '../kit/log.ts';
import { RETURNS_RETRY_MS, RETURNS_SWEEP_INTERVAL_MS, RETURNS_SWEEP_MAX_ROWS } from './limits.ts';
import type { StockBringer } from './stock-bringer.ts';

export interface ReturnsSweeper {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Brings units that the ledger took back to Redis, until both agree. Several sweepers may work at once, and a release
 * that was told before is told again: Redis counts it once. A return of an event that Redis does not have at present
 * stays due, and the page goes on behind it.
 */
export function createReturnsSweeper(deps: {
  ledger: Ledger;
  bringer: StockBringer;
  faults: Faults;
  log: Log;
}): ReturnsSweeper {
  const { ledger, bringer, faults, log } = deps;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  async function sweep(): Promise<void> {
    let afterSeq = 0;
    while (!stopping.signal.aborted) {
      const due = await ledger.returns.due(RETURNS_SWEEP_MAX_ROWS, afterSeq);
      const last = due.at(-1);
      if (last === undefined) return;
      afterSeq = last.seq;
      for (const [ref, items] of byStock(due)) {
        const ended = await bringer.release(
          ref,
          items.map(({ id, buyer, units }) => ({ reservationId: id, buyer, units })),
        );
        if (ended.length > 0) faults.at('order.after-return');
        await ledger.returns.done(ended);
      }
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pauseMs = RETURNS_SWEEP_INTERVAL_MS;
      try {
        await sweep();
      } catch (error) {
        log.warn({ err: error }, 'the sweep of returns begins again');
        pauseMs = RETURNS_RETRY_MS;
      }
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** Returns by the stock that they belong to. */
function byStock(due: readonly DueReturn[]): [StockRef, DueReturn[]][] {
  const groups = new Map<string, [StockRef, DueReturn[]]>();
  for (const one of due) {
    const { eventId, bucket, generation } = one;
    const key = `${eventId}/${bucket}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ eventId, bucket, generation, run: one.runs[bucket] ?? '' }, [one]]);
    else group[1].push(one);
  }
  return [...groups.values()];
}
