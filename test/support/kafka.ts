import { randomBytes } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { beforeAll } from 'vitest';
import { askForServer } from './shared-servers.ts';

export interface SharedKafka {
  readonly brokers: string[];
}

/**
 * The Kafka of the whole run, started when the first file asks for it. Never stop it or delete what is not yours: take
 * topics and groups of random names. A test that kills Kafka starts its own with startKafka of tools/servers.
 */
export const sharedKafka = (): SharedKafka => {
  let brokers: string[] | undefined;
  beforeAll(async () => {
    ({ brokers } = await askForServer('/kafka'));
  });
  return {
    get brokers() {
      if (brokers === undefined) throw new Error('sharedKafka() is ready in hooks and tests, not before');
      return brokers;
    },
  };
};

/** A name for a topic or a group that nobody else has. */
export const randomKafkaName = (prefix: string): string => `${prefix}.${randomBytes(6).toString('hex')}`;

/** Kafka forgets what stands before the offset, as it does when records have become too old. */
export async function forgetRecords(
  brokers: string[],
  topic: string,
  partition: number,
  before: bigint,
): Promise<void> {
  const admin = new Kafka({ brokers, clientId: 'test', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    // The library knows the leaders only of topics that it was asked about before.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: before.toString() }] });
  } finally {
    await admin.disconnect();
  }
}
