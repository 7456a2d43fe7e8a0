import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Kafka, type Admin as LibraryAdmin } from 'kafkajs';
import type { Log } from '../log.ts';
import { retryOptions } from './client.ts';
import { ADMIN_LEADERS_TIMEOUT_MS, ADMIN_RETRIES_MAX, CLOSE_PATIENCE_MS, RETRY_FIRST_MS } from './limits.ts';
import { settledWithin } from './patience.ts';
import type { Admin, TopicDescription } from './port.ts';

/** What stands in a partition, and what a group has yet to take of it. */
export interface PartitionLag {
  end: bigint;
  lag: bigint;
}

export interface AdminWithLag extends Admin {
  /** By partition. Records that were deleted before the group took them are no lag. */
  lag(groupId: string, topic: string): Promise<Map<number, PartitionLag>>;
}

/** After a failed call the connection is thrown away: the library does not always find back by itself. */
export function createAdmin(client: () => Kafka, log: Log): AdminWithLag {
  let connection: Promise<LibraryAdmin> | undefined;

  function drop(): void {
    const old = connection;
    connection = undefined;
    old
      ?.then((admin) => admin.disconnect())
      .catch((error: unknown) => log.debug({ err: error }, 'kafka admin left badly'));
  }

  async function ask<T>(question: (admin: LibraryAdmin) => Promise<T>): Promise<T> {
    connection ??= connectAdmin(client());
    const mine = connection;
    try {
      return await question(await mine);
    } catch (error) {
      if (connection === mine) drop();
      throw error;
    }
  }

  async function committed(admin: LibraryAdmin, groupId: string, topic: string): Promise<Map<number, bigint>> {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return new Map((found?.partitions ?? []).map(({ partition, offset }) => [partition, BigInt(offset)]));
  }

  /** What stands in each partition, and how much of it the group has taken. */
  async function progress(
    admin: LibraryAdmin,
    groupId: string,
    topic: string,
  ): Promise<{ partition: number; end: bigint; taken: bigint }[]> {
    const next = await committed(admin, groupId, topic);
    return (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => {
      const [mine, first] = [next.get(partition) ?? -1n, BigInt(low)];
      return { partition, end: BigInt(high), taken: mine > first ? mine : first };
    });
  }

  return {
    clusterId: () => ask(async (admin) => (await admin.describeCluster()).clusterId),
    ensureTopic: ({ topic, partitions, replicationFactor, minInsyncReplicas }) =>
      ask(async (admin) => {
        const configEntries =
          minInsyncReplicas === undefined ? [] : [{ name: 'min.insync.replicas', value: String(minInsyncReplicas) }];
        const wish = { topic, numPartitions: partitions, replicationFactor, configEntries };
        await admin.createTopics({ topics: [wish], waitForLeaders: false });
        await waitForLeaders(admin, topic);
      }),
    describeTopic: (topic) => ask((admin) => describeTopic(admin, topic)),
    endOffsets: (topic) =>
      ask(async (admin) => {
        const found = await admin.fetchTopicOffsets(topic);
        return new Map(found.map(({ partition, high }) => [partition, BigInt(high)]));
      }),
    takenOffsets: (groupId, topic) =>
      ask(async (admin) => new Map((await progress(admin, groupId, topic)).map((one) => [one.partition, one.taken]))),
    lag: (groupId, topic) =>
      ask(async (admin) => {
        const found = await progress(admin, groupId, topic);
        return new Map(found.map(({ partition, end, taken }) => [partition, { end, lag: end - taken }]));
      }),
    async close() {
      const old = connection;
      connection = undefined;
      if (old !== undefined)
        await settledWithin(
          old.then((admin) => admin.disconnect()),
          CLOSE_PATIENCE_MS,
        );
    },
  };
}

async function connectAdmin(client: Kafka): Promise<LibraryAdmin> {
  const admin = client.admin({ retry: retryOptions(ADMIN_RETRIES_MAX) });
  await admin.connect();
  return admin;
}

// Node finds only some of the library's names when it imports them one by one; this one is not among them.
const { ConfigResourceTypes } = kafkajs;

/**
 * The library's own wait gives up when the brokers have not heard of the topic yet, and takes a leader's name for a
 * leader: one that has not taken office yet refuses its part of the first send, and the whole comes twice.
 */
async function waitForLeaders(admin: LibraryAdmin, topic: string): Promise<void> {
  const untilMs = performance.now() + ADMIN_LEADERS_TIMEOUT_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      // Only a leader in office tells its offsets.
      if (partitions.length > 0 && (await admin.fetchTopicOffsets(topic)).length === partitions.length) return;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
    if (performance.now() > untilMs) throw new Error(`The topic ${topic} has no leaders yet.`);
    await sleep(RETRY_FIRST_MS);
  }
}

async function describeTopic(admin: LibraryAdmin, topic: string): Promise<TopicDescription | undefined> {
  // Asking for the metadata of one topic by its name would create it on brokers that create topics by themselves.
  if (!(await admin.listTopics()).includes(topic)) return undefined;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics[0]?.partitions ?? [];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['min.insync.replicas'] }],
  });
  const setting = resources[0]?.configEntries.find((entry) => entry.configName === 'min.insync.replicas');
  return {
    partitions: partitions.length,
    replicas: Math.min(...partitions.map((partition) => partition.replicas.length)),
    inSyncReplicas: Math.min(...partitions.map((partition) => partition.isr.length)),
    underReplicated: partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length,
    minInsyncReplicas: Number(setting?.configValue ?? 1),
  };
}
