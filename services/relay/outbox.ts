import type { OutMessage } from '../kit/kafka/port.ts';
import { SEND_MAX_CHARS, SEND_MAX_MESSAGES } from './limits.ts';

/** Brings the batches of all journals to Kafka, one send at a time, each as full as what waits allows. */
export interface Outbox {
  /** Resolves when all of them are acknowledged. Rejects when that is not known: send them again. */
  send(messages: readonly OutMessage[]): Promise<void>;
}

export interface OutboxOptions {
  send(messages: readonly OutMessage[]): Promise<void>;
  /** Told of every send that arrived: how many messages, and how long it took. */
  onSent?(messages: number, seconds: number): void;
}

interface Parcel {
  messages: readonly OutMessage[];
  chars: number;
  resolve(): void;
  reject(error: unknown): void;
}

export function createOutbox({ send, onSent }: OutboxOptions): Outbox {
  const waiting: Parcel[] = [];
  let pumping = false;

  function take(): Parcel[] {
    const parcels: Parcel[] = [];
    let count = 0;
    let chars = 0;
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      count += next.messages.length;
      chars += next.chars;
      if (parcels.length > 0 && (count > SEND_MAX_MESSAGES || chars > SEND_MAX_CHARS)) break;
      parcels.push(next);
      waiting.shift();
    }
    return parcels;
  }

  async function pump(): Promise<void> {
    pumping = true;
    // Whatever else becomes ready in this turn of the event loop travels along.
    await Promise.resolve();
    while (waiting.length > 0) {
      const parcels = take();
      const [first, ...more] = parcels;
      const messages = more.length === 0 ? (first?.messages ?? []) : parcels.flatMap((parcel) => parcel.messages);
      const beganMs = performance.now();
      try {
        await send(messages);
        onSent?.(messages.length, (performance.now() - beganMs) / 1_000);
        for (const parcel of parcels) parcel.resolve();
      } catch (error) {
        for (const parcel of parcels) parcel.reject(error);
      }
    }
    pumping = false;
  }

  return {
    send(messages) {
      if (messages.length === 0) return Promise.resolve();
      return new Promise<void>((resolve, reject) => {
        const chars = messages.reduce((sum, message) => sum + message.value.length, 0);
        waiting.push({ messages, chars, resolve, reject });
        if (!pumping) void pump();
      });
    },
  };
}
