import { createAdmin } from './admin.ts';
import { createClient } from './client.ts';
import { createConsumer } from './consumer.ts';
import {
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_RETRIES_MAX,
  CLUSTER_RETRIES_MAX,
  CONSUMER_RETRIES_MAX,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';
import type { KafkaOptions, KafkaPort } from './port.ts';
import { createProducer } from './producer.ts';

/** The port over kafkajs. Nothing connects before it is asked to. */
export function createKafka(options: KafkaOptions): KafkaPort {
  const { log } = options;
  const patient = { ...options, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const hurried = { ...options, requestTimeoutMs: ADMIN_REQUEST_TIMEOUT_MS, retriesMax: ADMIN_RETRIES_MAX };
  const admin = () => createAdmin(() => createClient(hurried), log);
  return {
    producer: () => createProducer(() => createClient({ ...patient, retriesMax: CLUSTER_RETRIES_MAX }), log),
    consumer: (wish) =>
      createConsumer({
        ...wish,
        client: () => createClient({ ...patient, retriesMax: CONSUMER_RETRIES_MAX }),
        admin,
        log,
      }),
    admin,
  };
}
