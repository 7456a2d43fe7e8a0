import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '../../ledger/migrate.ts';
import { ensureTopics } from '../../operator/effects/ensure-topics.ts';
import type { StateFolder } from '../../operator/platform/host/state-folder.ts';
import type { Supervisor } from '../../operator/platform/host/supervisor.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import type { Log } from '../../services/kit/log.ts';
import { READY_POLL_MS, TOPIC_ATTEMPTS_MAX, TOPIC_RETRY_MS } from './limits.ts';
import type { ReleaseOptions } from './release-options.ts';
import type { PlannedServers } from './servers.ts';
import { type LongLivedRole, type ServiceSettings, serviceSpecs } from './services.ts';

/** Starts everything that stands on the servers, each as soon as what it needs is there, and waits until all serve. */
export async function startServices(
  supervisor: Supervisor,
  servers: PlannedServers,
  start: { folder: StateFolder; options: ReleaseOptions; log: Log; signal: AbortSignal; names: Set<string> },
): Promise<void> {
  const { folder, options, log, signal, names } = start;
  const isReady = (instance: string): boolean =>
    !names.has(instance) || supervisor.records().some((record) => record.instance === instance && record.ready);
  const until = (...instances: string[]) => poll(() => instances.every(isReady), READY_POLL_MS, signal);
  const brokers = servers.kafka.brokers;
  const settings: ServiceSettings = {
    ...{ folder, redisUrl: servers.redis.url, mysqlUrl: servers.mysql.url, brokers },
    logLevel: options.logLevel ?? 'info',
    replicationFactor: options.replicationFactor ?? 1,
    environment: options.environment ?? {},
  };
  const want = (role: LongLivedRole, count: number): void => {
    const specs = serviceSpecs(role, count, settings);
    for (const { instance } of specs) names.add(instance);
    supervisor.want(role, specs);
  };
  const schema = until('mariadb').then(() => migrate({ url: servers.mysql.url, log }));
  const topics = until('kafka').then(() => makeTopics(brokers, settings.replicationFactor, log, signal));
  // When the schema fails nobody waits for the topics any more.
  topics.catch(() => undefined);
  await Promise.all([schema, until('redis')]);
  // Operators wait for Kafka by themselves; they may as well be loaded while its JVM starts.
  want('operator', options.operators);
  await topics;
  want('relay', options.relays);
  want('order', options.orders);
  names.add('edge');
  await until(...names);
}

async function makeTopics(brokers: string[], replicationFactor: number, log: Log, signal: AbortSignal): Promise<void> {
  const admin = createKafka({ brokers, clientId: 'seckill-up', log }).admin();
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ensureTopics(admin, replicationFactor);
      } catch (error) {
        if (attempt >= TOPIC_ATTEMPTS_MAX) throw error;
        await delay(TOPIC_RETRY_MS, undefined, { signal });
      }
    }
  } finally {
    await admin.close();
  }
}

/** Asks until it says yes, or the time or the patience of the user is over. */
async function poll(asked: () => boolean | Promise<boolean>, intervalMs: number, signal: AbortSignal): Promise<void> {
  while (!(await asked())) {
    signal.throwIfAborted();
    await delay(intervalMs, undefined, { signal });
  }
}
