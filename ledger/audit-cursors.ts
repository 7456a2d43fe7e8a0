import assert from 'node:assert/strict';
import type { Accuracy } from '../services/domain/accounting.ts';
import type { Database, Session, SqlRow } from './database.ts';
import { failureKind } from './failures.ts';
import { AUDIT_STATE_MAX_BYTES } from './limits.ts';

/** Something that was found wrong, and is looked at again in every round. */
export interface Wrong {
  number: 'broken' | 'phantom' | 'overLimit' | 'drift';
  /** The order's, which is the reservation's; of a buyer over his limit, one of his orders. */
  id: string;
  bucket: number;
  /** Where the reservation stands in the journal, when that is known: the journal is kept from there on. */
  journalId?: string;
}

/** What a bucket must have by the journal, counted up to one of its entries. */
export interface Counted {
  journalId: string;
  reservations: number;
  totalUnits: number;
  availableUnits: number;
}

/** How far the continuous audit of an event has come, and what it needs so that its numbers are those of the whole sale. */
export interface AuditCursor {
  eventId: string;
  /** Grows by one with each saving; 0: never saved. */
  version: number;
  /** The stock's, to which all the rest belongs. */
  generation: number;
  /** Of each bucket: up to here every entry was compared. */
  journalIds: string[];
  /** Up to here every row was compared. */
  lastSeq: number;
  state: AuditState;
}

export interface AuditState {
  /** Holds and late commits that the journal told of, up to `journalIds`. */
  told: number;
  lateCommits: number;
  /** Rows up to `lastSeq`. */
  rows: number;
  /** Time of the database up to which changed rows were compared. */
  changedMs: number;
  /** By bucket. */
  counted: Counted[];
  wrong: Wrong[];
  /** Beyond what `wrong` has room for, by number. */
  more: Partial<Accuracy>;
  /**
   * What only a full comparison tells: live units beside the event's `sold_units`; how many of them no single order
   * explains, so that the counter itself is off; and units by which the counters of Redis are off in secret.
   */
  unsoldUnits: number;
  soldDrift: number;
  hiddenDrift: number;
}

/** The `audits` rows. Of two leaders that save at once, one succeeds. */
export interface AuditCursors {
  get(eventId: string): Promise<AuditCursor | undefined>;
  /** Saves it as the version after `cursor.version`; false when another one was faster. */
  save(cursor: AuditCursor): Promise<boolean>;
}

const COLUMNS = 'event_id, version, generation, journal_ids, last_seq, state';

export function createAuditCursors(database: Database): AuditCursors {
  return {
    get: (eventId) => database.snapshot("reading an audit's cursor", (session) => readCursor(session, eventId)),

    async save({ eventId, version, generation, journalIds, lastSeq, state }) {
      const text = JSON.stringify(state);
      assert(Buffer.byteLength(text) <= AUDIT_STATE_MAX_BYTES, "an audit's state must be bounded by its writer");
      const ids = JSON.stringify(journalIds);
      if (version > 0) {
        const saved = await database.write(
          "saving an audit's cursor",
          `UPDATE audits SET version = ?, generation = ?, journal_ids = ?, last_seq = ?, state = ?
           WHERE event_id = ? AND version = ?`,
          [version + 1, generation, ids, lastSeq, text, eventId, version],
        );
        return saved === 1;
      }
      try {
        const row = [eventId, 1, generation, ids, lastSeq, text];
        await database.write('beginning an audit', `INSERT INTO audits (${COLUMNS}) VALUES (?)`, [row]);
        return true;
      } catch (error) {
        if (failureKind(error) !== 'duplicate') throw error;
        return false;
      }
    },
  };
}

export async function readCursor(session: Session, eventId: string): Promise<AuditCursor | undefined> {
  const [row] = await session.rows(`SELECT ${COLUMNS} FROM audits WHERE event_id = ?`, [eventId]);
  return row === undefined ? undefined : cursorOf(row);
}

function cursorOf(row: SqlRow): AuditCursor {
  return {
    eventId: row['event_id'] as string,
    version: row['version'] as number,
    generation: row['generation'] as number,
    journalIds: JSON.parse(row['journal_ids'] as string) as string[],
    lastSeq: row['last_seq'] as number,
    // A leader of the release before did not know all of it.
    state: { soldDrift: 0, ...(JSON.parse(row['state'] as string) as Omit<AuditState, 'soldDrift'>) },
  };
}
