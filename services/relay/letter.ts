import type { HeldEntry, JournalEntry } from '../../lua/journal-entry.ts';
import { encodeHold } from '../domain/hold-message.ts';
import { isBuyer, isReservationId } from '../domain/reservation.ts';
import type { OutMessage } from '../kit/kafka/port.ts';
import { DEAD_LETTER_HEADERS } from '../kit/kafka/topics.ts';
import { DEAD_LETTER_MAX_CHARS } from './limits.ts';

/** One bucket's journal. */
export interface Place {
  eventId: string;
  bucket: number;
}

export interface Topics {
  holds: string;
  dead: string;
}

/** The entries of one batch, by what has to be done with them before they may be acknowledged. */
export interface Sorted {
  holds: { ids: string[]; messages: OutMessage[] };
  dead: { ids: string[]; messages: OutMessage[] };
  /** Nothing to do: Kafka hears of holds only. */
  others: string[];
}

export function sortEntries(entries: readonly JournalEntry[], place: Place, topics: Topics): Sorted {
  const sorted: Sorted = { holds: { ids: [], messages: [] }, dead: { ids: [], messages: [] }, others: [] };
  for (const entry of entries) {
    if (entry.type === 'malformed') {
      sorted.dead.ids.push(entry.id);
      sorted.dead.messages.push(deadLetter(entry, 'the entry does not hold what its type says', place, topics));
    } else if (entry.type !== 'held') {
      sorted.others.push(entry.id);
    } else {
      const wrong = whatIsWrong(entry);
      const list = wrong === undefined ? sorted.holds : sorted.dead;
      list.ids.push(entry.id);
      list.messages.push(
        wrong === undefined ? holdMessage(entry, place, topics) : deadLetter(entry, wrong, place, topics),
      );
    }
  }
  return sorted;
}

export function holdMessage(entry: HeldEntry, { eventId, bucket }: Place, topics: Topics): OutMessage {
  const { generation, reservationId, buyer, units } = entry;
  const value = encodeHold({
    v: 1,
    eventId,
    bucket,
    generation,
    journalId: entry.id,
    reservationId,
    buyer,
    units,
    heldAtMs: entry.atMs,
  });
  return { topic: topics.holds, key: reservationId, value };
}

function whatIsWrong({ reservationId, buyer, units, generation, atMs }: HeldEntry): string | undefined {
  if (!isReservationId(reservationId)) return 'it names no reservation';
  if (!isBuyer(buyer)) return 'it names no buyer';
  if (units < 1) return 'it holds no units';
  if (generation < 1) return 'it has no generation';
  if (atMs < 0) return 'it has no time';
  return undefined;
}

function deadLetter(entry: JournalEntry, reason: string, { eventId, bucket }: Place, topics: Topics): OutMessage {
  const headers = {
    [DEAD_LETTER_HEADERS.reason]: reason,
    [DEAD_LETTER_HEADERS.source]: `journal ${eventId}/${bucket}/${entry.id}`,
  };
  const value = JSON.stringify(entry).slice(0, DEAD_LETTER_MAX_CHARS);
  return { topic: topics.dead, key: `${eventId}/${bucket}/${entry.id}`, value, headers };
}
