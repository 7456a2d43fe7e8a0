import { Type } from 'typebox';
import { createLedger } from '../../ledger/ledger.ts';
import { connectRedis } from '../../lua/connection.ts';
import { readServerFacts } from '../../lua/server-facts.ts';
import { messageOf } from '../../operator/effects/message.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { KAFKA_VARIABLES, loadConfig, MYSQL_VARIABLES, REDIS_VARIABLES } from '../../services/kit/config.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { createLog, type Log } from '../../services/kit/log.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { ANSWER_MAX_MS } from '../limits.ts';

const named = Type.Object({
  SECKILL_REDIS_URL: Type.Optional(REDIS_VARIABLES.SECKILL_REDIS_URL),
  SECKILL_MYSQL_URL: Type.Optional(MYSQL_VARIABLES.SECKILL_MYSQL_URL),
  SECKILL_KAFKA_BROKERS: Type.Optional(KAFKA_VARIABLES.SECKILL_KAFKA_BROKERS),
});
type Variable = keyof typeof named.properties;

/**
 * Asks each server that the user named, before anything starts: processes that wait for a server which is not there
 * would only be late. Throws SECKILL_ERR_CONFIG or SECKILL_ERR_UNAVAILABLE with a line for each wrong variable.
 */
export async function askNamedServers({ redisUrl, mysqlUrl, kafkaBrokers }: ServerOptions): Promise<void> {
  const urls = loadConfig(named, {
    SECKILL_REDIS_URL: redisUrl,
    SECKILL_MYSQL_URL: mysqlUrl,
    SECKILL_KAFKA_BROKERS: kafkaBrokers?.join(','),
  });
  const asked = Object.entries(urls) as [Variable, string][];
  const log = createLog({ role: 'cli', instance: `cli-${process.pid}`, level: 'silent' });
  const problems = await Promise.all(asked.map(([variable, value]) => problemOf(variable, value, log)));
  const told = problems.filter((problem) => problem !== undefined);
  if (told.length > 0) throw new SeckillError('SECKILL_ERR_UNAVAILABLE', told.join('\n'));
}

/** Each throws when the server does not answer, or does not let us in. */
const ask: Record<Variable, (value: string, log: Log) => Promise<unknown>> = {
  async SECKILL_REDIS_URL(url, log) {
    const link = connectRedis({ url, log, name: 'seckill-up', commandTimeoutMs: ANSWER_MAX_MS });
    // What it does not say now, the facts say in words.
    await link.ready(AbortSignal.timeout(ANSWER_MAX_MS)).catch(() => {});
    return readServerFacts(link).finally(() => link.close());
  },
  async SECKILL_MYSQL_URL(url, log) {
    const server = new URL(url);
    // Without the database: where it is missing, the migration creates it. So nothing that looks at a schema is asked.
    server.pathname = '';
    const ledger = createLedger({ url: server.href, log, poolMax: 1 });
    return ledger.threads().finally(() => ledger.close());
  },
  async SECKILL_KAFKA_BROKERS(brokers, log) {
    const admin = createKafka({ brokers: brokers.split(','), clientId: 'seckill-up', log }).admin();
    return admin.clusterId().finally(() => admin.close());
  },
};

async function problemOf(variable: Variable, value: string, log: Log): Promise<string | undefined> {
  try {
    await ask[variable](value, log);
    return undefined;
  } catch (error) {
    return `${variable}: ${messageOf(error)}. Start that server, or leave the variable out: then one is started.`;
  }
}
