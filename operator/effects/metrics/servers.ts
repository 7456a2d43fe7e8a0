import type { Ledger } from '../../../ledger/ledger.ts';
import type { RedisLink } from '../../../lua/connection.ts';
import { readRegistry } from '../../../lua/registry.ts';
import { readServerFacts, type ServerFacts } from '../../../lua/server-facts.ts';
import type { Admin, TopicDescription } from '../../../services/kit/kafka/port.ts';
import { HOLDS_TOPIC } from '../../../services/kit/kafka/topics.ts';
import type { Metrics } from '../../../services/kit/metrics.ts';
import { answered } from './answered.ts';

/** Asks the servers what an SRE wants to know of them, as far as a client is told. */
export function createServersMeasure(deps: {
  link: RedisLink;
  admin: Admin;
  ledger: Ledger;
  metrics: Metrics;
}): () => Promise<void> {
  const { link, admin, ledger, metrics } = deps;
  let redis: ServerFacts | undefined;
  let topic: TopicDescription | undefined;
  let threads: { connected: number; running: number } | undefined;
  let skewMs: number | undefined;
  let up: [string, boolean][] = [];

  const flag = (value: boolean | undefined): number | undefined => (value === undefined ? undefined : value ? 1 : 0);
  metrics.gauge('serverUp', () => up.map(([server, answers]) => [[server], answers ? 1 : 0] as const));
  metrics.gauge('clockSkewSeconds', () => (skewMs === undefined ? undefined : skewMs / 1_000));
  metrics.gauge('redisMemoryBytes', () => redis?.usedMemoryBytes);
  metrics.gauge('redisMaxmemoryBytes', () => redis?.maxmemoryBytes || undefined);
  metrics.counter('redisCpuSeconds', () => redis?.cpuSeconds);
  metrics.gauge('redisReplicas', () => redis?.connectedReplicas);
  metrics.gauge('redisReplicasOnline', () => redis?.onlineReplicas);
  metrics.gauge('redisReplicaLagSeconds', () => redis?.replicaLagSeconds);
  metrics.gauge('redisMaster', () => flag(redis && redis.role === 'master'));
  metrics.gauge('redisReplicasUnguarded', () =>
    flag(redis && redis.connectedReplicas > 0 && redis.minReplicasToWrite === 0),
  );
  metrics.gauge('redisNoeviction', () => flag(redis && redis.maxmemoryPolicy === 'noeviction'));
  metrics.gauge('redisAof', () => flag(redis?.aofEnabled && redis.aofWritten));
  metrics.gauge('kafkaUnderReplicated', () => topic?.underReplicated);
  metrics.gauge('mysqlThreads', () =>
    threads === undefined ? [] : Object.entries(threads).map(([state, value]) => [[state], value] as const),
  );

  return async () => {
    const [registry, facts, described, busy] = await Promise.all([
      answered(readRegistry(link)),
      answered(readServerFacts(link)),
      answered(admin.describeTopic(HOLDS_TOPIC).then((found) => ({ found }))),
      answered(ledger.threads()),
    ]);
    skewMs = registry?.offsetMs;
    redis = facts;
    topic = described?.found;
    threads = busy;
    up = [
      ['redis', facts !== undefined],
      ['kafka', described !== undefined],
      ['mysql', busy !== undefined],
    ];
  };
}
