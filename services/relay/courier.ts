import type { Journal, JournalRead } from '../../lua/journal.ts';
import { REGISTRY_REFRESH_MS } from '../domain/limits.ts';
import type { Faults } from '../kit/fault-points.ts';
import { backOffMs, settledWithin, sleepUnless } from '../kit/kafka/patience.ts';
import type { Log } from '../kit/log.ts';
import type { RelayCounts } from './counts.ts';
import { type Place, type Sorted, sortEntries, type Topics } from './letter.ts';
import {
  BATCHES_IN_HAND_MAX,
  CLAIM_CHECKS_PER_IDLE,
  GATHER_MS,
  READ_MAX_ENTRIES,
  STOP_PATIENCE_MS,
  TROUBLE_FIRST_MS,
  TROUBLE_LONGEST_MS,
} from './limits.ts';
import type { Outbox } from './outbox.ts';

export interface CourierOptions {
  place: Place;
  journal: Journal;
  holds: Outbox;
  dead: Outbox;
  topics: Topics;
  consumer: string;
  claimIdleMs: number;
  /** How soon to look again when there was nothing. */
  pollMs(): number;
  /** Told when holds arrived at Kafka: the id of the oldest of them. */
  onSent(oldestId: string): void;
  counts: RelayCounts;
  faults: Faults;
  log: Log;
}

/** Brings one journal to Kafka. What it cannot bring waits in the journal; other journals have couriers of their own. */
export interface Courier {
  /** Finishes the batches in hand, then leaves the group if nothing is left in its name. */
  stop(): Promise<void>;
}

export function createCourier(options: CourierOptions): Courier {
  const { place, journal, consumer, faults, log } = options;
  const { eventId, bucket } = place;
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const inHand = new Set<Promise<void>>();
  const idsInHand = new Set<string>();
  /** Ends the wait for room in hand. A promise of the courier's whole life would remember each wait that raced with it. */
  let wake = (): void => {};
  givingUp.signal.addEventListener('abort', () => wake(), { once: true });
  const next = createReader(options, idsInHand);
  let troubles = 0;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const batch = await next.batch();
        if (troubles > 0) log.info({ eventId, bucket }, 'the journal is read again');
        troubles = 0;
        if (batch.entries.length > 0) {
          faults.at('relay.after-read');
          await take(batch);
        }
        if (batch.entries.length < READ_MAX_ENTRIES) await sleepUnless(stopping.signal, pauseAfter(batch));
      } catch (error) {
        if (troubles === 0) log.warn({ err: error, eventId, bucket }, 'the journal cannot be read');
        troubles += 1;
        // An answer that was lost on the way may have been entries.
        next.readOwnAgain();
        await sleepUnless(stopping.signal, backOffMs(troubles, TROUBLE_FIRST_MS, TROUBLE_LONGEST_MS));
      }
    }
  }

  function pauseAfter({ exists, entries }: JournalRead): number {
    if (!exists) return REGISTRY_REFRESH_MS;
    return entries.length > 0 ? GATHER_MS : options.pollMs();
  }

  /** Waits for room, then lets the batch travel while the next one is read. Given up, it is left to whoever claims it. */
  async function take(batch: JournalRead): Promise<void> {
    while (inHand.size >= BATCHES_IN_HAND_MAX) {
      if (givingUp.signal.aborted) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    for (const { id } of batch.entries) idsInHand.add(id);
    const travel = deliver(batch).finally(() => {
      inHand.delete(travel);
      for (const { id } of batch.entries) idsInHand.delete(id);
      wake();
    });
    inHand.add(travel);
  }

  /** Never rejects. What was not acknowledged comes again: to this consumer on a new connection, or to whoever claims it. */
  async function deliver({ serial, entries }: JournalRead): Promise<void> {
    const { holds, dead, others } = sortEntries(entries, place, options.topics);
    await Promise.all([acknowledge(others, serial), deliverHolds(holds, serial), deliverDead(dead, serial)]);
  }

  async function deliverHolds({ ids, messages }: Sorted['holds'], serial: number): Promise<void> {
    if (!(await untilSent(options.holds, messages))) return;
    faults.at('relay.after-send');
    options.counts.add('sent', ids.length);
    if (ids[0] !== undefined) options.onSent(ids[0]);
    await acknowledge(ids, serial);
    faults.at('relay.after-ack');
  }

  async function deliverDead({ ids, messages }: Sorted['dead'], serial: number): Promise<void> {
    if (!(await untilSent(options.dead, messages))) return;
    faults.at('relay.after-dead-letter');
    for (const id of ids) log.error({ eventId, bucket, journalId: id }, 'a journal entry cannot be read');
    options.counts.add('dead', ids.length);
    await acknowledge(ids, serial);
  }

  /** `false`: there was nothing to send, or it was given up at a stop. */
  async function untilSent(outbox: Outbox, messages: Sorted['holds']['messages']): Promise<boolean> {
    if (messages.length === 0) return false;
    for (let attempt = 0; !givingUp.signal.aborted; attempt += 1) {
      try {
        await outbox.send(messages);
        return true;
      } catch (error) {
        const level = attempt === 0 ? 'warn' : 'debug';
        log[level]({ err: error, eventId, bucket, messages: messages.length }, 'a batch did not reach Kafka, again');
        await sleepUnless(givingUp.signal, backOffMs(attempt, TROUBLE_FIRST_MS, TROUBLE_LONGEST_MS));
      }
    }
    return false;
  }

  async function acknowledge(ids: readonly string[], serial: number): Promise<void> {
    if (ids.length === 0) return;
    try {
      if (await journal.ack(eventId, bucket, ids, serial)) options.counts.add('acknowledged', ids.length);
      else next.readOwnAgain();
    } catch (error) {
      log.debug({ err: error, eventId, bucket }, 'entries were perhaps not acknowledged');
      next.readOwnAgain();
    }
  }

  const running = run();

  return {
    async stop() {
      stopping.abort();
      const finished = running.then(() => Promise.all(inHand));
      if (!(await settledWithin(finished, STOP_PATIENCE_MS))) givingUp.abort();
      await running;
      try {
        await journal.leave(eventId, bucket, consumer);
      } catch (error) {
        log.debug({ err: error, eventId, bucket }, 'the group was not left');
      }
    },
  };
}

/**
 * What a courier reads next: first, on every new connection, what this consumer was given before and never
 * acknowledged; now and then what others have had for too long; otherwise what is new.
 */
function createReader({ place, journal, consumer, claimIdleMs }: CourierOptions, idsInHand: ReadonlySet<string>) {
  const { eventId, bucket } = place;
  let ownAfterId: string | undefined = '0-0';
  let serial = -1;
  let claimAtMs = performance.now();
  let claimCursor = '0-0';

  function notInHand(read: JournalRead): JournalRead {
    if (idsInHand.size === 0) return read;
    return { ...read, entries: read.entries.filter(({ id }) => !idsInHand.has(id)) };
  }

  async function readOwn(afterId: string): Promise<JournalRead> {
    // Who wants all of it read again meanwhile has the last word.
    ownAfterId = undefined;
    const read = await journal.own(eventId, bucket, consumer, afterId, READ_MAX_ENTRIES);
    if (read.entries.length === READ_MAX_ENTRIES) ownAfterId ??= read.entries.at(-1)?.id;
    return notInHand(read);
  }

  async function claim(): Promise<JournalRead> {
    const read = await journal.claim(eventId, bucket, consumer, claimIdleMs, READ_MAX_ENTRIES, claimCursor);
    claimCursor = read.nextCursor;
    if (claimCursor === '0-0') claimAtMs = performance.now() + claimIdleMs / CLAIM_CHECKS_PER_IDLE;
    return notInHand(read);
  }

  return {
    readOwnAgain(): void {
      ownAfterId = '0-0';
    },
    async batch(): Promise<JournalRead> {
      if (ownAfterId !== undefined) {
        const read = await readOwn(ownAfterId);
        serial = read.serial;
        if (read.entries.length > 0) return read;
      }
      if (performance.now() >= claimAtMs) {
        const read = await claim();
        if (read.entries.length > 0) return read;
      }
      const read = await journal.read(eventId, bucket, consumer, READ_MAX_ENTRIES);
      if (read.serial !== serial) {
        serial = read.serial;
        ownAfterId = '0-0';
      }
      return read;
    },
  };
}
