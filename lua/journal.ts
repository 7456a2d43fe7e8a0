import assert from 'node:assert/strict';
import type { Connection, RedisLink } from './connection.ts';
import { unavailable } from './errors.ts';
import { decodeEntry, type JournalEntry } from './journal-entry.ts';
import { JOURNAL_GROUP, journalKey } from './keys.ts';
import { JOURNAL_READ_MAX_ENTRIES } from './limits.ts';
import { errorWord, replyCode, runScript } from './loader.ts';
import { decided, oneOf, text, whole } from './replies.ts';

export interface JournalRead {
  /** Of the connection that the entries were read on: acknowledge them with it. */
  serial: number;
  /** Without it there are no entries: the journal or its group is gone, which is the operator's to repair. */
  exists: boolean;
  entries: JournalEntry[];
}

export interface JournalClaim extends JournalRead {
  /** Where the next claim goes on; `0-0` when this one came to the end. */
  nextCursor: string;
}

export interface JournalProgress {
  exists: boolean;
  length: number;
  /** The last id that was ever written; `0-0`: none. */
  lastEntryId: string;
  lastDeliveredId: string;
  /** Up to here every entry was delivered, or is gone: `lastEntryId` when none is left to be read. */
  passedId: string;
  /** Entries that were not delivered yet; at least one where Redis cannot say how many. */
  unreadEntries: number;
  /** Entries that were delivered and not acknowledged. */
  pending: number;
  smallestPendingId?: string;
  /** Nothing is pending and nothing is unread. */
  drained: boolean;
}

/**
 * The journals, as the relay and the audit read them. All but `range` and `progress` work as one consumer of the group.
 * Throws SECKILL_ERR_UNAVAILABLE when Redis is away: the reader tries again later; an entry that was delivered and
 * never acknowledged is delivered again by `claim`.
 */
export interface Journal {
  /** New entries, at most `count`. Does not wait for one. */
  read(eventId: string, bucket: number, consumer: string, count: number): Promise<JournalRead>;
  /** Entries that this consumer was given and never acknowledged (in an earlier life, on a lost connection), by id. */
  own(eventId: string, bucket: number, consumer: string, afterId: string, count: number): Promise<JournalRead>;
  /** Takes over entries that another consumer (or this one, before it fell) was given `minIdleMs` ago or earlier. */
  claim(
    eventId: string,
    bucket: number,
    consumer: string,
    minIdleMs: number,
    count: number,
    cursor?: string,
  ): Promise<JournalClaim>;
  /** `false`: nothing was acknowledged. The connection is not the one they were read on any more, or the journal is gone. */
  ack(eventId: string, bucket: number, ids: readonly string[], serial: number): Promise<boolean>;
  /** Entries after `afterId` (`0-0`: from the beginning), without consuming them. */
  range(eventId: string, bucket: number, afterId: string, count: number): Promise<JournalEntry[]>;
  progress(eventId: string, bucket: number): Promise<JournalProgress>;
  /** Forgets a consumer that has nothing pending. */
  leave(eventId: string, bucket: number, consumer: string): Promise<'left' | 'pending' | 'absent' | 'not-ready'>;
}

const NOTHING: JournalProgress = {
  exists: false,
  length: 0,
  lastEntryId: '0-0',
  lastDeliveredId: '0-0',
  passedId: '0-0',
  unreadEntries: 0,
  pending: 0,
  drained: false,
};

function list(value: unknown): unknown[] {
  assert(Array.isArray(value), 'Redis replied with something else than a list');
  return value;
}

/** `[id, [name, value, …]]` of each; an entry that was trimmed meanwhile is null. */
function entriesOf(value: unknown): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const raw of list(value)) {
    if (raw === null) continue;
    const [id, fields] = list(raw);
    if (fields !== null) entries.push(decodeEntry(text(id), list(fields).map(text)));
  }
  return entries;
}

/** `[name, value, …]` as XINFO answers. */
function fieldsOf(value: unknown): Map<string, unknown> {
  const flat = list(value);
  const fields = new Map<string, unknown>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(text(flat[i]), flat[i + 1]);
  return fields;
}

const isGone = (error: unknown): boolean => {
  const code = replyCode(error);
  return code === 'NOGROUP' || code === 'WRONGTYPE';
};

/** Negative, zero or positive, as `a` stands before, at or after `b` in the journal. */
export function compareJournalIds(a: string, b: string): number {
  const [aMs = '0', aSeq = '0'] = a.split('-');
  const [bMs = '0', bSeq = '0'] = b.split('-');
  return Number(aMs) - Number(bMs) || Number(aSeq) - Number(bSeq);
}

export function earlierJournalId(a: string, b: string): string {
  return compareJournalIds(a, b) <= 0 ? a : b;
}

function assertCount(count: number): void {
  assert(Number.isInteger(count) && count >= 1 && count <= JOURNAL_READ_MAX_ENTRIES, 'a journal is read in batches');
}

async function progressOf({ redis }: Connection, key: string): Promise<JournalProgress> {
  // One transaction: between two looks the relay may have gone on, and drained would be a guess.
  const results = await redis.multi().xinfo('STREAM', key).xinfo('GROUPS', key).xpending(key, JOURNAL_GROUP).exec();
  const replies: unknown[] = [];
  for (const [error, reply] of results ?? []) {
    // XINFO, which is asked first, says of a key that is not there: ERR no such key.
    if (error !== null && (isGone(error) || replyCode(error) === 'ERR')) return NOTHING;
    if (error !== null) throw error;
    replies.push(reply);
  }
  const stream = fieldsOf(replies[0]);
  const group = list(replies[1])
    .map(fieldsOf)
    .find((one) => one.get('name') === JOURNAL_GROUP);
  if (group === undefined) return NOTHING;
  const [pending, smallestPendingId] = list(replies[2]);
  const lastEntryId = text(stream.get('last-generated-id'));
  const lastDeliveredId = text(group.get('last-delivered-id'));
  // An entry that was deleted by hand is never delivered: what counts as unread is what is still there.
  const last = stream.get('last-entry');
  const unread = Array.isArray(last) && compareJournalIds(text(last[0]), lastDeliveredId) > 0;
  const lag = group.get('lag');
  return {
    exists: true,
    length: whole(stream.get('length')),
    lastEntryId,
    lastDeliveredId,
    passedId: unread || compareJournalIds(lastDeliveredId, lastEntryId) > 0 ? lastDeliveredId : lastEntryId,
    unreadEntries: !unread ? 0 : typeof lag === 'number' && lag > 0 ? lag : 1,
    pending: whole(pending),
    ...(typeof smallestPendingId === 'string' ? { smallestPendingId } : {}),
    drained: whole(pending) === 0 && !unread,
  };
}

export function createJournal({ link }: { link: RedisLink }): Journal {
  const open = (): Connection => {
    const connection = link.current();
    if (connection === undefined) {
      link.onCall?.('journal', 0, 'disconnected');
      throw unavailable('the journal cannot be read: there is no connection to Redis', link.problem());
    }
    return connection;
  };

  /** The answer of Redis, or undefined when the journal is gone. Whatever else fails is worth another try. */
  const ask = async <T>(what: string, call: () => Promise<T>): Promise<T | undefined> => {
    const askedMs = performance.now();
    const tell = (error: string | undefined) => link.onCall?.('journal', (performance.now() - askedMs) / 1_000, error);
    try {
      const reply = await call();
      tell(undefined);
      return reply;
    } catch (error) {
      if (isGone(error)) return undefined;
      tell(errorWord(error));
      throw unavailable(`the journal cannot be ${what}`, error);
    }
  };

  const readGroup = async (
    eventId: string,
    bucket: number,
    consumer: string,
    from: string,
    count: number,
  ): Promise<JournalRead> => {
    assertCount(count);
    const { redis, serial } = open();
    const key = journalKey(eventId, bucket);
    const reply = await ask('read', () =>
      redis.xreadgroup('GROUP', JOURNAL_GROUP, consumer, 'COUNT', count, 'STREAMS', key, from),
    );
    if (reply === undefined) return { serial, exists: false, entries: [] };
    const [ofKey] = list(reply ?? []);
    return { serial, exists: true, entries: ofKey === undefined ? [] : entriesOf(list(ofKey)[1]) };
  };

  return {
    read: (eventId, bucket, consumer, count) => readGroup(eventId, bucket, consumer, '>', count),

    own: (eventId, bucket, consumer, afterId, count) => readGroup(eventId, bucket, consumer, afterId, count),

    claim: async (eventId, bucket, consumer, minIdleMs, count, cursor = '0-0') => {
      assertCount(count);
      const { redis, serial } = open();
      const key = journalKey(eventId, bucket);
      const reply = await ask('claimed', () =>
        redis.xautoclaim(key, JOURNAL_GROUP, consumer, minIdleMs, cursor, 'COUNT', count),
      );
      if (reply === undefined) return { serial, exists: false, entries: [], nextCursor: '0-0' };
      return { serial, exists: true, entries: entriesOf(reply[1]), nextCursor: text(reply[0]) };
    },

    ack: async (eventId, bucket, ids, serial) => {
      if (ids.length === 0) return true;
      assert(ids.length <= JOURNAL_READ_MAX_ENTRIES, 'entries are acknowledged in batches');
      const connection = link.current();
      if (connection === undefined || connection.serial !== serial) return false;
      const key = journalKey(eventId, bucket);
      return (await ask('acknowledged', () => connection.redis.xack(key, JOURNAL_GROUP, ...ids))) !== undefined;
    },

    range: async (eventId, bucket, afterId, count) => {
      assertCount(count);
      const { redis } = open();
      const reply = await ask('read', () =>
        redis.xrange(journalKey(eventId, bucket), `(${afterId}`, '+', 'COUNT', count),
      );
      return entriesOf(reply ?? []);
    },

    progress: async (eventId, bucket) => {
      const connection = open();
      return (await ask('measured', () => progressOf(connection, journalKey(eventId, bucket)))) ?? NOTHING;
    },

    leave: async (eventId, bucket, consumer) => {
      const { run } = open();
      const call = { keys: [journalKey(eventId, bucket)], args: [consumer] };
      const done = decided(await runScript(link, 'leave', run, call));
      return done.status === 'not-ready' ? done.status : oneOf(['left', 'pending', 'absent'] as const, done.word);
    },
  };
}
