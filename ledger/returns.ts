import assert from 'node:assert/strict';
import type { Database } from './database.ts';
import { IDS_MAX_PER_STATEMENT } from './limits.ts';
import { type DueReturn, dueReturnOf } from './rows.ts';

export interface Returns {
  /**
   * Units that the ledger took back and Redis has not given back yet, by `seq`. Only of warmed events: a recovering one
   * gets them from its rebuild or afterwards, and what comes after the settlement never goes on sale again.
   */
  due(limit: number, afterSeq?: number): Promise<DueReturn[]>;
  /** The stock has these orders' units back; at most IDS_MAX_PER_STATEMENT. */
  done(orderIds: readonly string[]): Promise<void>;
}

export function createReturns(database: Database): Returns {
  return {
    async due(limit, afterSeq = 0) {
      const rows = await database.rows(
        'reading due returns',
        `SELECT r.seq, r.order_id, r.event_id, r.bucket, r.buyer, r.units, e.generation, e.runs
         FROM returns r JOIN events e ON e.event_id = r.event_id
         WHERE r.done = 0 AND r.seq > ? AND e.state = 'warmed' ORDER BY r.seq LIMIT ?`,
        [afterSeq, limit],
      );
      return rows.map(dueReturnOf);
    },
    async done(orderIds) {
      assert(orderIds.length <= IDS_MAX_PER_STATEMENT, 'one statement names a bounded number of ids');
      if (orderIds.length === 0) return;
      await database.write(
        'finishing returns',
        'UPDATE returns SET done = 1, done_at = CURRENT_TIMESTAMP(3) WHERE order_id IN (?) AND done = 0',
        [[...orderIds]],
      );
    },
  };
}
