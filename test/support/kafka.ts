import { randomBytes } from 'node:crypto';
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
