import { type HoldMessage, parseHold } from '../domain/hold-message.ts';
import type { InMessage } from '../kit/kafka/port.ts';

/** A hold together with the message that brought it. */
export interface ReceivedHold {
  message: InMessage;
  hold: HoldMessage;
}

/** A message that will never become an order, and why, in words. */
export interface DeadLetter {
  message: InMessage;
  reason: string;
}

export interface ReadChunk {
  byEvent: Map<string, ReceivedHold[]>;
  unreadable: DeadLetter[];
}

/** Sorts a chunk by event, each event's holds in the order of the partition. */
export function readChunk(chunk: readonly InMessage[]): ReadChunk {
  const byEvent = new Map<string, ReceivedHold[]>();
  const unreadable: DeadLetter[] = [];
  for (const message of chunk) {
    const parsed = parseHold(message.value);
    if (!parsed.ok) {
      unreadable.push({ message, reason: parsed.reason });
      continue;
    }
    const { message: hold } = parsed;
    const holds = byEvent.get(hold.eventId);
    if (holds === undefined) byEvent.set(hold.eventId, [{ message, hold }]);
    else holds.push({ message, hold });
  }
  return { byEvent, unreadable };
}
