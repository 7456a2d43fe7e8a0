import type { Database, Session } from './database.ts';
import { lockEvent } from './events.ts';
import { PAGE_MAX_ROWS } from './limits.ts';
import { readPage, voidLocked } from './orders.ts';
import type { LedgerEvent, OrderRow } from './rows.ts';

/** What the last step of a recovery sees while it holds the event row's lock: no order of the event can come or go. */
export interface RecoveryView {
  event: LedgerEvent;
  /** The orders with a greater `seq`, in pages. */
  rowsAfter(seq: number): AsyncIterable<OrderRow[]>;
  /** Voids orders that the rebuilt stock has no place for. The answer names those that were paid before, and stay. */
  voidRows(ids: readonly string[], reason: string): Promise<string[]>;
}

class RolledBack extends Error {}

/**
 * Ends a recovery of this generation: runs `body` under the event row's lock, and makes the event `warmed` with the runs
 * that it answers. `undefined` rolls everything back and leaves the event recovering, and so does anything thrown. False
 * also when the generation moved on. It is not tried again by itself: a failed recovery begins anew with a fresh generation.
 */
export async function finishRecovery(
  database: Database,
  eventId: string,
  generation: number,
  body: (view: RecoveryView) => Promise<{ runs: string[] } | undefined>,
): Promise<boolean> {
  const step = async (session: Session): Promise<boolean> => {
    const event = await lockEvent(session, eventId);
    if (event === undefined || event.state !== 'recovering' || event.generation !== generation) return false;
    const done = await body({
      event,
      rowsAfter: (seq) => pagesAfter(session, eventId, seq),
      async voidRows(ids, reason) {
        const outcomes = await voidLocked(session, eventId, ids, reason);
        return [...outcomes].filter(([, outcome]) => outcome === 'too-late').map(([id]) => id);
      },
    });
    if (done === undefined) throw new RolledBack();
    const sql = `UPDATE events SET state = 'warmed', runs = ?, rebuilds = rebuilds + 1 WHERE event_id = ?`;
    await session.write(sql, [JSON.stringify(done.runs), eventId]);
    return true;
  };
  try {
    return await database.transaction('finishing a recovery', step, { retry: false });
  } catch (error) {
    if (error instanceof RolledBack) return false;
    throw error;
  }
}

async function* pagesAfter(session: Session, eventId: string, seq: number): AsyncIterable<OrderRow[]> {
  let after = seq;
  for (;;) {
    const page = await readPage(session.rows, eventId, after, PAGE_MAX_ROWS);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last.seq;
  }
}
