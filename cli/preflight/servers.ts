import { createLedger } from '../../ledger/ledger.ts';
import { connectRedis } from '../../lua/connection.ts';
import { readRegistry } from '../../lua/registry.ts';
import { readFacts } from '../../operator/effects/facts.ts';
import type { Facts } from '../../operator/plan/observed.ts';
import { SERVER_CHECKS, type ServerCheck } from '../../operator/plan/server-checks.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { createLog } from '../../services/kit/log.ts';
import type { ServerSettings } from '../environment.ts';
import { ANSWER_MAX_MS } from '../limits.ts';
import { advised, failed, type PreflightCheck, passed } from './checks.ts';

const { redisPolicy, redisAof, redisReplicas, topic, ledgerSchema, clockSkew } = SERVER_CHECKS;

/** Whether Redis, Kafka and the database are there, let us in, and are as a sale needs them. */
export async function checkServers({ redis, kafka, mysql }: ServerSettings): Promise<PreflightCheck[]> {
  const log = createLog({ role: 'cli', instance: `cli-${process.pid}`, level: 'silent' });
  const link = connectRedis({ ...redis, log, name: 'seckill-cli', commandTimeoutMs: ANSWER_MAX_MS });
  const ledger = createLedger({ ...mysql, log, poolMax: 1 });
  const admin = createKafka({ ...kafka, clientId: 'seckill-cli', log }).admin();
  try {
    // What it does not say now, the facts say in words.
    await link.ready(AbortSignal.timeout(ANSWER_MAX_MS)).catch(() => {});
    const offsetMs = await readRegistry(link).then(
      (registry) => registry.offsetMs,
      () => undefined,
    );
    return judge(await readFacts({ link, admin, ledger }, offsetMs));
  } finally {
    await Promise.all([link.close(), ledger.close(), admin.close()]);
  }
}

/** Of a server that does not answer nothing else is said: it would be the same sentence again. */
function judge(facts: Facts): PreflightCheck[] {
  const { redis, topic: found, ledger, unanswered } = facts;
  return [
    ...(redis === undefined
      ? [failed('Redis', unanswered?.redis ?? 'it does not answer')]
      : [
          passed('Redis', `Redis ${redis.version} lets us in`),
          ...[redisPolicy, redisAof, redisReplicas, clockSkew].map(by(facts)),
        ]),
    ...(found === undefined
      ? [failed('Kafka', unanswered?.topic ?? 'it does not answer')]
      : [passed('Kafka', 'Kafka lets us in'), found.exists ? by(facts)(topic) : noTopicYet]),
    ...(ledger === undefined
      ? [failed('Ledger', unanswered?.ledger ?? 'it does not answer')]
      : [passed('Ledger', `the database (${ledger.version}) lets us in`), by(facts)(ledgerSchema)]),
  ];
}

const noTopicYet = advised(topic.name, 'the topic of holds does not exist yet: the operator makes it when it runs');

const by =
  (facts: Facts) =>
  (check: ServerCheck): PreflightCheck => {
    const problem = check.judge(facts);
    const { name, blocking } = check;
    return { name, blocking, passed: problem === undefined, message: problem ?? check.passed };
  };
