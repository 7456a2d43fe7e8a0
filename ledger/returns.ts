import type { Database } from './database.ts';
import { type DueReturn, dueReturnOf } from './rows.ts';

export interface Returns {
  /**
   * Units that the ledger took back and Redis has not given back yet, by `seq`. Only of warmed events: a recovering one
   * gets them from its rebuild or afterwards, and what comes after the settlement never goes on sale again.
   */
  due(limit: number, afterSeq?: number): Promise<DueReturn[]>;
  /** The stock has them back. */
  done(id: string): Promise<void>;
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
    async done(id) {
      await database.write(
        'finishing a return',
        'UPDATE returns SET done = 1, done_at = CURRENT_TIMESTAMP(3) WHERE order_id = ? AND done = 0',
        [id],
      );
    },
  };
}
