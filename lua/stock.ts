import assert from 'node:assert/strict';
import {
  RESERVE_BATCH_MAX_ATTEMPTS,
  TOTAL_UNITS_MAX,
  TRANSITION_BATCH_MAX_RESERVATIONS,
} from '../services/domain/limits.ts';
import {
  type Attempt,
  isBuyer,
  isReservationId,
  type MalformedReservation,
  type Reservation,
  type ReservationState,
} from '../services/domain/reservation.ts';
import type { RedisLink } from './connection.ts';
import { stockKeys } from './keys.ts';
import { LOOKUP_MAX_RESERVATIONS, REBUILD_LOAD_MAX_ROWS } from './limits.ts';
import { type NotReady, runScript, type ScriptName } from './loader.ts';
import {
  decided,
  oneOf,
  parseReservation,
  readSnapshot,
  readTally,
  reserveAnswer,
  type STOCK_MODES,
  text,
  whole,
} from './replies.ts';
import { scan, scanPage } from './scan.ts';

/** A bucket's stock, as the caller knows it: the generation and the run that he was told of. */
export interface StockRef {
  eventId: string;
  bucket: number;
  generation: number;
  /** As the registry names it (pods), or the ledger (order, operator); never as the connection does. */
  run: string;
}

export type ReserveAnswer =
  | { status: 'held'; journalId: string }
  | { status: 'exists'; state: ReservationState }
  | { status: 'conflict' | 'late' | 'paused' | 'not-open' | 'closed' | 'limit-exceeded' }
  | { status: 'sold-out'; unitsLeft: number };

export interface ReserveDecision {
  status: 'decided';
  /** Redis time of the decision. */
  nowMs: number;
  /** Units left after it. */
  availableUnits: number;
  /** Aligned with the attempts. */
  answers: ReserveAnswer[];
}

export const COMMIT_ANSWERS = ['committed', 'released', 'refused', 'conflict'] as const;
export type CommitAnswer = (typeof COMMIT_ANSWERS)[number];
export const RELEASE_ANSWERS = ['released', 'conflict'] as const;
export type ReleaseAnswer = (typeof RELEASE_ANSWERS)[number];

export type StockMode = (typeof STOCK_MODES)[number];

export interface StockSnapshot {
  status: 'ok';
  nowMs: number;
  /** total = available + held + committed, none negative. */
  lawHolds: boolean;
  journalLength: number;
  generation: number;
  revision: number;
  mode: StockMode;
  closed: boolean;
  startMs: number;
  endMs: number;
  unitsPerBuyer: number;
  totalUnits: number;
  availableUnits: number;
  heldUnits: number;
  committedUnits: number;
  /** Fewest units that somebody was refused since units last came back; 0: nobody was. */
  smallestRefusedAsk: number;
}

/** What can be counted of one bucket at one instant, whether or not it is right. */
export interface StockTally {
  status: 'counted';
  nowMs: number;
  revision: number;
  closed: boolean;
  totalUnits: number;
  availableUnits: number;
  heldUnits: number;
  committedUnits: number;
  smallestRefusedAsk: number;
  reservations: number;
  /** The last id that the journal gave: all that is counted happened up to it. */
  lastJournalId: string;
}

export interface PreheatSettings {
  revision: number;
  totalUnits: number;
  startMs: number;
  endMs: number;
  unitsPerBuyer: number;
}

export interface AdjustTarget {
  revision: number;
  totalUnits: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
}

export interface RebuildSettings extends PreheatSettings {
  armed: boolean;
  paused: boolean;
  closed: boolean;
}

/** A row of the ledger on its way back into Redis. */
export interface RebuildRow extends Attempt {
  /** Whether the order still holds its units. */
  live: boolean;
  journalId: string;
}

export interface RebuildChunk {
  /** The first chunk of a rebuild forgets what Redis still had. There is always one, even without rows. */
  first: boolean;
  unitsPerBuyer: number;
  rows: readonly RebuildRow[];
}

/**
 * All that can be done with live stock; each a script of the same name, whose head is its contract. Every call is
 * fenced by run and generation. `not-ready` is definite: nothing was changed, nor will be. A call whose outcome is
 * unknown (no answer in time, connection lost meanwhile) throws SECKILL_ERR_REDIS_UNKNOWN; asked again, each call is
 * told what is.
 */
export interface Stock {
  preheat(ref: StockRef, settings: PreheatSettings): Promise<{ status: 'preheated' | 'exists' | 'refused' } | NotReady>;
  arm(ref: StockRef, o: { paused: boolean }): Promise<{ status: 'armed' | 'already' } | NotReady>;
  /** `deadlineMs`: the latest Redis time at which the attempts may be decided. */
  reserve(ref: StockRef, attempts: readonly Attempt[], deadlineMs: number): Promise<ReserveDecision | NotReady>;
  commit(ref: StockRef, items: readonly Attempt[]): Promise<{ status: 'done'; answers: CommitAnswer[] } | NotReady>;
  release(ref: StockRef, items: readonly Attempt[]): Promise<{ status: 'done'; answers: ReleaseAnswer[] } | NotReady>;
  /** `totalUnits` of the answer is the total that was achieved. */
  adjust(
    ref: StockRef,
    target: AdjustTarget,
  ): Promise<{ status: 'adjusted' | 'unchanged'; totalUnits: number } | { status: 'stale' } | NotReady>;
  rebuildBegin(ref: StockRef): Promise<{ status: 'begun' | 'refused' } | NotReady>;
  /** `overLimit`: live rows that were over their buyer's limit and are stored as released; the ledger voids them. */
  rebuildLoad(ref: StockRef, chunk: RebuildChunk): Promise<{ status: 'loaded'; overLimit: string[] } | NotReady>;
  rebuildFinish(ref: StockRef, settings: RebuildSettings): Promise<{ status: 'finished' | 'law-broken' } | NotReady>;
  /** Whatever the generation: it reports what is there. Fenced by the run only. */
  snapshot(ref: StockRef): Promise<StockSnapshot | { status: 'missing' } | NotReady>;
  /** By ids of whatever form: they may come from a journal that is damaged. */
  lookup(
    ref: StockRef,
    reservationIds: readonly string[],
  ): Promise<{ status: 'found'; reservations: (Reservation | MalformedReservation | undefined)[] } | NotReady>;
  /** Counters, the number of reservations and the journal's last id, all at one instant. */
  tally(ref: StockRef): Promise<StockTally | NotReady>;
  /** Forgets journal entries before `firstId`, but none that the relay has yet to acknowledge. */
  trim(ref: StockRef, firstId: string): Promise<{ status: 'trimmed'; entries: number } | NotReady>;
  /**
   * A page of all reservations, for looking at them in turn: '0' begins anew, and is the answer's cursor at the end. Throws
   * when Redis is away or another.
   */
  scanPage(
    ref: StockRef,
    cursor: string,
  ): Promise<{ cursor: string; reservations: (Reservation | MalformedReservation)[] }>;
  /** All reservations, for the audit; one that moves meanwhile may come twice. Throws when Redis is away or another. */
  scanReservations(ref: StockRef): AsyncIterable<Reservation | MalformedReservation>;
  /** Deletes the keys of a settled event, unless a later generation has them. */
  remove(ref: StockRef): Promise<{ status: 'removed' | 'absent' | 'refused' } | NotReady>;
}

const flag = (value: boolean): string => (value ? '1' : '0');

function assertAttempt({ reservationId, buyer, units }: Attempt): void {
  assert(isReservationId(reservationId), 'a reservation id is a UUID in lower case');
  assert(isBuyer(buyer), 'a buyer is 1 to 64 letters, digits and ._:@~-');
  assert(Number.isInteger(units) && units >= 1 && units <= TOTAL_UNITS_MAX, 'an attempt asks for at least one unit');
}

/** `reservationId, buyer, units` of each, after what the script wants first. */
function attemptArgs(first: (string | number)[], attempts: readonly Attempt[], atMost: number): (string | number)[] {
  assert(attempts.length >= 1 && attempts.length <= atMost, `a call brings 1 to ${atMost} attempts`);
  for (const attempt of attempts) {
    assertAttempt(attempt);
    first.push(attempt.reservationId, attempt.buyer, attempt.units);
  }
  return first;
}

export function createStock({ link }: { link: RedisLink }): Stock {
  const run = async (script: ScriptName, ref: StockRef, args: readonly (string | number)[]) =>
    decided(await runScript(link, script, ref.run, { keys: stockKeys(ref.eventId, ref.bucket), args }));

  /** A script whose reply is one word. */
  const word = async <T extends string>(
    script: ScriptName,
    ref: StockRef,
    args: readonly (string | number)[],
    words: readonly T[],
  ): Promise<{ status: T } | NotReady> => {
    const done = await run(script, ref, args);
    return done.status === 'not-ready' ? done : { status: oneOf(words, done.word) };
  };

  return {
    preheat: (ref, { revision, totalUnits, startMs, endMs, unitsPerBuyer }) =>
      word(
        'preheat',
        ref,
        [ref.generation, revision, totalUnits, startMs, endMs, unitsPerBuyer],
        ['preheated', 'exists', 'refused'],
      ),

    arm: (ref, { paused }) => word('arm', ref, [ref.generation, flag(paused)], ['armed', 'already']),

    reserve: async (ref, attempts, deadlineMs) => {
      const args = attemptArgs([ref.generation, Math.floor(deadlineMs)], attempts, RESERVE_BATCH_MAX_ATTEMPTS);
      const done = await run('reserve', ref, args);
      if (done.status === 'not-ready') return done;
      const [, nowMs, availableUnits, ...answers] = done.reply;
      assert(answers.length === attempts.length, 'every attempt has an answer');
      return {
        status: 'decided',
        nowMs: whole(nowMs),
        availableUnits: whole(availableUnits),
        answers: answers.map(reserveAnswer),
      };
    },

    commit: async (ref, items) => {
      const done = await run('commit', ref, attemptArgs([ref.generation], items, TRANSITION_BATCH_MAX_RESERVATIONS));
      if (done.status === 'not-ready') return done;
      assert(done.reply.length === items.length + 1, 'every reservation has an answer');
      return { status: 'done', answers: done.reply.slice(1).map((answer) => oneOf(COMMIT_ANSWERS, answer)) };
    },

    release: async (ref, items) => {
      const done = await run('release', ref, attemptArgs([ref.generation], items, TRANSITION_BATCH_MAX_RESERVATIONS));
      if (done.status === 'not-ready') return done;
      assert(done.reply.length === items.length + 1, 'every reservation has an answer');
      return { status: 'done', answers: done.reply.slice(1).map((answer) => oneOf(RELEASE_ANSWERS, answer)) };
    },

    adjust: async (ref, { revision, totalUnits, endMs, paused, closed }) => {
      const done = await run('adjust', ref, [ref.generation, revision, totalUnits, endMs, flag(paused), flag(closed)]);
      if (done.status === 'not-ready') return done;
      const status = oneOf(['adjusted', 'unchanged', 'stale'] as const, done.word);
      return status === 'stale' ? { status } : { status, totalUnits: whole(done.reply[1]) };
    },

    rebuildBegin: (ref) => word('rebuildBegin', ref, [ref.generation], ['begun', 'refused']),

    rebuildLoad: async (ref, { first, unitsPerBuyer, rows }) => {
      assert(rows.length <= REBUILD_LOAD_MAX_ROWS, `a call loads at most ${REBUILD_LOAD_MAX_ROWS} rows`);
      const args = [ref.generation, flag(first), unitsPerBuyer];
      for (const row of rows) {
        assertAttempt(row);
        args.push(row.reservationId, row.buyer, row.units, flag(row.live), row.journalId);
      }
      const done = await run('rebuildLoad', ref, args);
      return done.status === 'not-ready' ? done : { status: 'loaded', overLimit: done.reply.slice(1).map(text) };
    },

    rebuildFinish: (ref, settings) => {
      const { revision, totalUnits, startMs, endMs, unitsPerBuyer, armed, paused, closed } = settings;
      const args = [ref.generation, revision, totalUnits, startMs, endMs, unitsPerBuyer];
      return word('rebuildFinish', ref, [...args, flag(armed), flag(paused), flag(closed)], ['finished', 'law-broken']);
    },

    snapshot: async (ref) => {
      const done = await run('snapshot', ref, []);
      if (done.status === 'not-ready') return done;
      return oneOf(['ok', 'missing'] as const, done.word) === 'ok' ? readSnapshot(done.reply) : { status: 'missing' };
    },

    lookup: async (ref, reservationIds) => {
      assert(reservationIds.length <= LOOKUP_MAX_RESERVATIONS, `a call reads at most ${LOOKUP_MAX_RESERVATIONS} ids`);
      if (reservationIds.length === 0) return { status: 'found', reservations: [] };
      const done = await run('lookup', ref, [ref.generation, ...reservationIds]);
      if (done.status === 'not-ready') return done;
      const reservations = reservationIds.map((id, i) => {
        const value = done.reply[i + 1];
        return value === null ? undefined : parseReservation(id, text(value));
      });
      return { status: 'found', reservations };
    },

    tally: async (ref) => {
      const done = await run('tally', ref, [ref.generation]);
      return done.status === 'not-ready' ? done : readTally(done.reply);
    },

    trim: async (ref, firstId) => {
      assert(/^\d+-\d+$/.test(firstId), 'a journal id is milliseconds-sequence');
      const done = await run('trim', ref, [ref.generation, firstId]);
      return done.status === 'not-ready' ? done : { status: 'trimmed', entries: whole(done.reply[1]) };
    },

    scanPage: (ref, cursor) => scanPage(link, ref, cursor),

    scanReservations: (ref) => scan(link, ref),

    remove: (ref) => word('remove', ref, [ref.generation], ['removed', 'absent', 'refused']),
  };
}
