import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { Op } from 'sequelize';
import { SeckillError } from '../services/domain/errors.ts';
import { eventIdOf, type Product } from '../services/domain/event.ts';
import type { Database, Session } from './database.ts';
import { failureKind } from './failures.ts';
import { SETTLEMENT_REPORT_MAX_BYTES } from './limits.ts';
import type { Models } from './models.ts';
import { canonicalProduct, EVENT_COLUMNS, eventOf, type LedgerEvent } from './rows.ts';

/** What cannot change any more once the stock was preheated. */
export interface FrozenFields {
  product: Product;
  buckets: number;
  unitsPerBuyer: number;
  startMs: number;
}

/** What may change while the sale runs. */
export interface ChangeableFields {
  totalUnits: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
}

export interface OpenEdition extends ChangeableFields {
  namespace: string;
  name: string;
  uid: string;
  frozen: FrozenFields;
}

export interface OpenedEdition {
  status: 'opened' | 'continued' | 'settled' | 'predecessor-unsettled';
  event: LedgerEvent;
}

/** What a settlement was decided by. `lastSeq` is the event's last order, 0 when there is none. */
export interface SettledFrom {
  state: 'warming' | 'warmed';
  generation: number;
  lastSeq: number;
}

/**
 * The `events` rows. Every change of state or generation is a compare-and-set on the row: of two leaders one gets it, and
 * the other is told by `undefined` or `false`. A change whose answer was lost and that is asked for again may be told so
 * too although it was made; then the caller looks again, as it does after any lost race.
 */
export interface Events {
  /**
   * The edition that an object sells from. `opened`: a new one. `continued`: the unsettled one goes on, with its stock,
   * now under this uid. `settled`: this object's own edition is over. `predecessor-unsettled`: another object with other
   * frozen fields has not been settled yet. Until the first preheat begins, the frozen fields may still change.
   */
  openEdition(wish: OpenEdition): Promise<OpenedEdition>;
  latest(namespace: string, name: string): Promise<LedgerEvent | undefined>;
  get(eventId: string): Promise<LedgerEvent | undefined>;
  unsettled(): Promise<LedgerEvent[]>;
  /**
   * The fresh generation of a preheat, or `undefined` when another one was faster, the object has changed what is to be
   * sold, or the event is past warming.
   */
  beginPreheat(eventId: string, seen: Pick<LedgerEvent, 'generation' | 'revision'>): Promise<number | undefined>;
  /** `runs` names the Redis run of each bucket. True also when it was done before. */
  finishPreheat(eventId: string, generation: number, runs: string[]): Promise<boolean>;
  arm(eventId: string, generation: number): Promise<boolean>;
  /**
   * Takes the wish under a new revision, or answers with the present row when it is the wish already. Growth raises the
   * barrier at once; shrinking waits for `takeAchievedTotal`. A closed event stays closed; a settled one stays as it is.
   */
  acceptChange(eventId: string, wish: ChangeableFields): Promise<LedgerEvent>;
  /** After a shrink: the barrier becomes what Redis achieved, unless generation or revision moved on. */
  takeAchievedTotal(eventId: string, generation: number, revision: number, totalUnits: number): Promise<boolean>;
  /** The fresh generation of a recovery, or `undefined` when another one was faster. */
  beginRecovery(eventId: string, seenGeneration: number): Promise<number | undefined>;
  /** Writes the report and ends the edition for good; false when it is not any more what the report was made of. */
  settle(eventId: string, seen: SettledFrom, report: object): Promise<boolean>;
  settlement(eventId: string): Promise<object | undefined>;
}

export function createEvents(database: Database, models: Models): Events {
  const { events } = models;
  const compareAndSet = async (what: string, sql: string, values: (string | number)[]) =>
    (await database.write(what, sql, values)) === 1;

  return {
    openEdition: (wish) => openEdition(database, wish),

    latest: (namespace, name) =>
      database.read('reading the latest edition', async () => {
        const row = await events.findOne({ where: { namespace, name }, order: [['edition', 'DESC']], raw: true });
        return row === null ? undefined : eventOf({ ...row });
      }),

    get: (eventId) =>
      database.read('reading an event', async () => {
        const row = await events.findByPk(eventId, { raw: true });
        return row === null ? undefined : eventOf({ ...row });
      }),

    unsettled: () =>
      database.read('reading the unsettled events', async () => {
        const rows = await events.findAll({
          where: { state: { [Op.ne]: 'settled' } },
          order: [['event_id', 'ASC']],
          raw: true,
        });
        return rows.map((row) => eventOf({ ...row }));
      }),

    async beginPreheat(eventId, seen) {
      const taken = await compareAndSet(
        'beginning a preheat',
        `UPDATE events SET generation = generation + 1
         WHERE event_id = ? AND generation = ? AND revision = ? AND state = 'warming'`,
        [eventId, seen.generation, seen.revision],
      );
      return taken ? seen.generation + 1 : undefined;
    },

    finishPreheat: (eventId, generation, runs) =>
      compareAndSet(
        'finishing a preheat',
        `UPDATE events SET state = 'warmed', runs = ?
         WHERE event_id = ? AND generation = ? AND (state = 'warming' OR (state = 'warmed' AND runs = ?))`,
        [JSON.stringify(runs), eventId, generation, JSON.stringify(runs)],
      ),

    arm: (eventId, generation) =>
      compareAndSet(
        'arming an event',
        `UPDATE events SET armed = 1 WHERE event_id = ? AND generation = ? AND state = 'warmed'`,
        [eventId, generation],
      ),

    acceptChange: (eventId, wish) => acceptChange(database, eventId, wish),

    takeAchievedTotal: (eventId, generation, revision, totalUnits) =>
      compareAndSet(
        'taking the total that Redis achieved',
        `UPDATE events SET total_units = ?
         WHERE event_id = ? AND generation = ? AND revision = ? AND state = 'warmed' AND total_units >= ?`,
        [totalUnits, eventId, generation, revision, totalUnits],
      ),

    async beginRecovery(eventId, seenGeneration) {
      const taken = await compareAndSet(
        'beginning a recovery',
        `UPDATE events SET generation = generation + 1, state = 'recovering'
         WHERE event_id = ? AND generation = ? AND state IN ('warmed', 'recovering')`,
        [eventId, seenGeneration],
      );
      return taken ? seenGeneration + 1 : undefined;
    },

    settle: (eventId, seen, report) => settle(database, eventId, seen, report),

    settlement: (eventId) =>
      database.read('reading a settlement', async () => {
        const row = await models.settlements.findByPk(eventId, { raw: true });
        if (row === null) return undefined;
        const { report } = { ...row } as unknown as { report: string };
        return JSON.parse(report) as object;
      }),
  };
}

/** The event's row, locked until the transaction ends. Whoever writes orders of an event takes this lock first. */
export async function lockEvent(session: Session, eventId: string): Promise<LedgerEvent | undefined> {
  const [row] = await session.rows(`SELECT ${EVENT_COLUMNS} FROM events WHERE event_id = ? FOR UPDATE`, [eventId]);
  return row === undefined ? undefined : eventOf(row);
}

async function openEdition(database: Database, wish: OpenEdition): Promise<OpenedEdition> {
  const what = 'opening an edition';
  try {
    return await database.transaction(what, (session) => openOrContinue(session, wish));
  } catch (error) {
    // Two leaders opened the first edition at once, where there was no row to lock. The other's row is there now.
    if (failureKind(error) !== 'duplicate') throw error;
    return database.transaction(what, (session) => openOrContinue(session, wish));
  }
}

async function openOrContinue(session: Session, wish: OpenEdition): Promise<OpenedEdition> {
  const [row] = await session.rows(
    `SELECT ${EVENT_COLUMNS} FROM events WHERE namespace = ? AND name = ? ORDER BY edition DESC LIMIT 1 FOR UPDATE`,
    [wish.namespace, wish.name],
  );
  const latest = row === undefined ? undefined : eventOf(row);
  if (latest === undefined) return { status: 'opened', event: await insertEdition(session, wish, 1) };
  if (latest.state === 'settled') {
    if (latest.uid === wish.uid) return { status: 'settled', event: latest };
    return { status: 'opened', event: await insertEdition(session, wish, latest.edition + 1) };
  }
  if (latest.generation === 0) return { status: 'continued', event: await rewriteUnpreheated(session, latest, wish) };
  if (latest.uid === wish.uid) return { status: 'continued', event: latest };
  if (!sameFrozen(latest, wish.frozen)) return { status: 'predecessor-unsettled', event: latest };
  await session.write('UPDATE events SET uid = ? WHERE event_id = ?', [wish.uid, latest.eventId]);
  return { status: 'continued', event: { ...latest, uid: wish.uid } };
}

function sameFrozen(event: LedgerEvent, frozen: FrozenFields): boolean {
  return (
    event.buckets === frozen.buckets &&
    event.unitsPerBuyer === frozen.unitsPerBuyer &&
    event.startMs === frozen.startMs &&
    canonicalProduct(event.product) === canonicalProduct(frozen.product)
  );
}

async function insertEdition(session: Session, wish: OpenEdition, edition: number): Promise<LedgerEvent> {
  const { namespace, name, uid, frozen, totalUnits, endMs, paused, closed } = wish;
  const eventId = eventIdOf({ namespace, name, edition });
  const product = canonicalProduct(frozen.product);
  await session.write(`INSERT INTO events (${EVENT_COLUMNS}) VALUES (?)`, [
    [
      ...[eventId, namespace, name, edition, uid, 'warming', 0, 1, '[]', false, product],
      ...[frozen.buckets, frozen.unitsPerBuyer, frozen.startMs, endMs, paused, closed],
      ...[totalUnits, totalUnits, totalUnits, 0, 0],
    ],
  ]);
  const event = await lockEvent(session, eventId);
  assert(event !== undefined, 'an edition that was just inserted must be there');
  return event;
}

/**
 * Nothing was ever sold from this edition, so the object may still change all of it. The revision fences off a preheat
 * that another leader begins with what was to be sold before.
 */
async function rewriteUnpreheated(session: Session, event: LedgerEvent, wish: OpenEdition): Promise<LedgerEvent> {
  const { uid, frozen, totalUnits, endMs, paused, closed } = wish;
  const changed = {
    ...event,
    ...{ uid, endMs, paused, closed, initialUnits: totalUnits, totalUnits, targetUnits: totalUnits },
    ...frozen,
  };
  if (sameFrozen(event, frozen) && isDeepStrictEqual({ ...changed, product: event.product }, event)) return event;
  const revision = event.revision + 1;
  await session.write(
    `UPDATE events SET revision = ?, uid = ?, product = ?, buckets = ?, units_per_buyer = ?, start_ms = ?, end_ms = ?,
       paused = ?, closed = ?, initial_units = ?, total_units = ?, target_units = ? WHERE event_id = ?`,
    [
      ...[revision, uid, canonicalProduct(frozen.product), frozen.buckets, frozen.unitsPerBuyer, frozen.startMs, endMs],
      ...[paused, closed, totalUnits, totalUnits, totalUnits, event.eventId],
    ],
  );
  return { ...changed, revision };
}

function acceptChange(database: Database, eventId: string, wish: ChangeableFields): Promise<LedgerEvent> {
  return database.transaction('accepting a change', async (session) => {
    const event = await lockEvent(session, eventId);
    if (event === undefined) {
      throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', `accepting a change: the ledger has no event ${eventId}`);
    }
    const closed = event.closed || wish.closed;
    const same =
      event.targetUnits === wish.totalUnits &&
      event.endMs === wish.endMs &&
      event.paused === wish.paused &&
      event.closed === closed;
    if (same || event.state === 'settled') return event;
    const changed: LedgerEvent = {
      ...event,
      revision: event.revision + 1,
      targetUnits: wish.totalUnits,
      totalUnits: Math.max(event.totalUnits, wish.totalUnits),
      endMs: wish.endMs,
      paused: wish.paused,
      closed,
    };
    await session.write(
      `UPDATE events SET revision = ?, target_units = ?, total_units = ?, end_ms = ?, paused = ?, closed = ?
       WHERE event_id = ?`,
      [
        ...[changed.revision, changed.targetUnits, changed.totalUnits, changed.endMs, changed.paused, changed.closed],
        eventId,
      ],
    );
    return changed;
  });
}

function settle(database: Database, eventId: string, seen: SettledFrom, report: object): Promise<boolean> {
  const text = JSON.stringify(report);
  assert(Buffer.byteLength(text) <= SETTLEMENT_REPORT_MAX_BYTES, 'a settlement report must be bounded by its writer');
  return database.transaction('settling an event', async (session) => {
    const event = await lockEvent(session, eventId);
    if (event?.state !== seen.state || event.generation !== seen.generation) return false;
    // Under the lock none can come: one that came since the report was made would be live, and missing in it.
    const [last] = await session.rows('SELECT MAX(seq) AS last_seq FROM orders WHERE event_id = ?', [eventId]);
    if (((last?.['last_seq'] as number | null) ?? 0) !== seen.lastSeq) return false;
    await session.write('INSERT INTO settlements (event_id, report) VALUES (?, ?)', [eventId, text]);
    await session.write(`UPDATE events SET state = 'settled' WHERE event_id = ?`, [eventId]);
    return true;
  });
}
