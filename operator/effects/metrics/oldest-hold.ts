import type { Journal } from '../../../lua/journal.ts';
import type { Stock, StockRef } from '../../../lua/stock.ts';
import { HOLDS_PAGE_ENTRIES, HOLDS_PAGES_MAX } from './limits.ts';

/** Redis time of the oldest hold, `none`, or `unknown`: the look has not come to an answer yet, the next one goes on. */
export type OldestHold = { status: 'found'; atMs: number } | { status: 'none' | 'unknown' };

/**
 * Finds the oldest hold that is still not committed. A hold that was committed or released never becomes one again in
 * its generation, so that each look goes on where the last one found a hold, and costs what happened since.
 */
export function createOldestHold({ stock, journal }: { stock: Stock; journal: Journal }) {
  const passed = new Map<string, { generation: number; afterId: string }>();

  /** The first hold of a page that is held even now; `undefined` when there is none. */
  async function firstHeld(ref: StockRef, page: Awaited<ReturnType<Journal['range']>>) {
    const holds = page.filter((entry) => entry.type === 'held');
    if (holds.length === 0) return undefined;
    const ids = holds.map(({ reservationId }) => reservationId);
    const found = await stock.lookup(ref, ids);
    if (found.status === 'not-ready') return 'unknown';
    return holds[found.reservations.findIndex((reservation) => reservation?.state === 'held')];
  }

  return {
    async look(ref: StockRef, heldUnits: number): Promise<OldestHold> {
      if (heldUnits === 0) return { status: 'none' };
      const { eventId, bucket, generation } = ref;
      const key = `${eventId}/${bucket}`;
      const known = passed.get(key);
      let afterId = known?.generation === generation ? known.afterId : '0-0';
      for (let pages = 0; pages < HOLDS_PAGES_MAX; pages += 1) {
        const page = await journal.range(eventId, bucket, afterId, HOLDS_PAGE_ENTRIES);
        const first = await firstHeld(ref, page);
        if (first === 'unknown') return { status: 'unknown' };
        if (first !== undefined) return { status: 'found', atMs: first.atMs };
        const last = page.at(-1);
        if (last === undefined || page.length < HOLDS_PAGE_ENTRIES) return { status: 'none' };
        afterId = last.id;
        passed.set(key, { generation, afterId });
      }
      return { status: 'unknown' };
    },
    forget(eventIds: ReadonlySet<string>): void {
      for (const key of passed.keys()) if (!eventIds.has(key.split('/')[0] ?? '')) passed.delete(key);
    },
  };
}
