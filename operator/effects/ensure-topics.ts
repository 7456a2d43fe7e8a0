import type { Admin } from '../../services/kit/kafka/port.ts';
import {
  HOLDS_DEAD_PARTITIONS,
  HOLDS_DEAD_TOPIC,
  HOLDS_PARTITIONS,
  HOLDS_TOPIC,
} from '../../services/kit/kafka/topics.ts';

/** Creates the topics that are missing. One that exists stays as it is: the arming checks judge it. */
export async function ensureTopics(admin: Admin, replicationFactor: number): Promise<void> {
  await admin.ensureTopic({ topic: HOLDS_TOPIC, partitions: HOLDS_PARTITIONS, replicationFactor });
  await admin.ensureTopic({ topic: HOLDS_DEAD_TOPIC, partitions: HOLDS_DEAD_PARTITIONS, replicationFactor });
}
