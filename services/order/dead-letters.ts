import type { OutMessage, Producer } from '../kit/kafka/port.ts';
import { DEAD_LETTER_HEADERS } from '../kit/kafka/topics.ts';
import type { Log } from '../kit/log.ts';
import type { Metrics } from '../kit/metrics.ts';
import { DEAD_LETTER_REASON_MAX_CHARS } from './limits.ts';
import type { DeadLetter } from './read-chunk.ts';

export interface DeadLetters {
  /** Resolves when Kafka has all of them. Rejects otherwise: then the chunk must come again, and some may stand there twice. */
  send(letters: readonly DeadLetter[]): Promise<void>;
}

export function createDeadLetters(deps: {
  producer: Producer;
  log: Log;
  metrics: Metrics;
  topic: string;
}): DeadLetters {
  const { producer, log, topic } = deps;
  const counter = deps.metrics.tally('deadLetters');
  return {
    async send(letters) {
      if (letters.length === 0) return;
      await producer.send(letters.map((letter) => outMessage(topic, letter)));
      counter.add('', letters.length);
      for (const { message, reason } of letters) {
        const { partition, offset } = message;
        log.error({ partition, offset: offset.toString(), reason }, 'a message became a dead letter');
      }
    },
  };
}

function outMessage(topic: string, { message, reason }: DeadLetter): OutMessage {
  const source = `${message.topic}/${message.partition}/${message.offset}`;
  return {
    topic,
    key: message.key ?? source,
    value: message.value?.toString() ?? '',
    headers: {
      [DEAD_LETTER_HEADERS.reason]: reason.slice(0, DEAD_LETTER_REASON_MAX_CHARS),
      [DEAD_LETTER_HEADERS.source]: source,
    },
  };
}
