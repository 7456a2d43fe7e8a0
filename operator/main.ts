import { fileURLToPath } from 'node:url';
import { Type } from 'typebox';
import { createLedger } from '../ledger/ledger.ts';
import { connectRedis } from '../lua/connection.ts';
import { createJournal } from '../lua/journal.ts';
import { createStock } from '../lua/stock.ts';
import { systemClock } from '../services/kit/clock.ts';
import { KAFKA_VARIABLES, MYSQL_VARIABLES, REDIS_VARIABLES, TOKEN_VARIABLES } from '../services/kit/config.ts';
import { createHttp } from '../services/kit/http.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import { POD_NODE_FLAGS } from '../services/kit/node-flags.ts';
import { observeRedis } from '../services/kit/redis-calls.ts';
import { runProcess } from '../services/kit/run.ts';
import { kafkaServers, mysqlServer, redisServer } from '../services/kit/servers.ts';
import { createEffects } from './effects/effects.ts';
import { leadWhenElected } from './leader.ts';
import { REDIS_TIMEOUT_MS } from './limits.ts';
import { lead } from './operator.ts';
import { createHostPlatform } from './platform/host/host.ts';

const OPERATOR_VARIABLES = {
  SECKILL_STATE_DIR: Type.String({
    minLength: 1,
    description: 'the folder in which the host platform keeps its state',
  }),
  SECKILL_REPLICATION_FACTOR: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 9,
    description: 'the number of replicas of topics that are created, from 1 to 9',
  }),
  SECKILL_POD_ENV: Type.String({
    default: '{}',
    pattern: '^\\{[\\s\\S]*\\}$',
    description: 'a JSON object of variables that the pods get as well',
  }),
};

await runProcess({
  role: 'operator',
  schema: Type.Object({
    ...REDIS_VARIABLES,
    ...KAFKA_VARIABLES,
    ...MYSQL_VARIABLES,
    ...TOKEN_VARIABLES,
    ...OPERATOR_VARIABLES,
  }),
  async start({ config, instance, log, metrics, health, faults, signal }) {
    const link = connectRedis({
      ...redisServer(config),
      log,
      name: `operator-${instance}`,
      commandTimeoutMs: REDIS_TIMEOUT_MS,
      onCall: observeRedis(metrics),
    });
    const kafka = createKafka({ ...kafkaServers(config), clientId: `operator-${instance}`, log });
    const admin = kafka.admin();
    const retries = metrics.tally('ledgerRetries');
    const ledger = createLedger({ ...mysqlServer(config), log, onRetry: (kind) => retries.add(kind) });
    const stock = createStock({ link });
    const journal = createJournal({ link });
    const clock = systemClock;
    const effects = createEffects({ link, stock, journal, ledger, kafka, admin, faults, clock, log });
    const pod = {
      command: process.execPath,
      args: [...POD_NODE_FLAGS, fileURLToPath(new URL('../services/seckill/main.ts', import.meta.url))],
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: {
        PATH: process.env['PATH'] ?? '',
        SECKILL_REDIS_URL: config.SECKILL_REDIS_URL,
        ...(config.SECKILL_REDIS_CA_FILE === undefined ? {} : { SECKILL_REDIS_CA_FILE: config.SECKILL_REDIS_CA_FILE }),
        SECKILL_TOKEN_KEYS_FILE: config.SECKILL_TOKEN_KEYS_FILE,
        SECKILL_LOG_LEVEL: config.SECKILL_LOG_LEVEL,
        ...(JSON.parse(config.SECKILL_POD_ENV) as Record<string, string>),
      },
    };
    const platform = createHostPlatform({ stateDir: config.SECKILL_STATE_DIR, pod, log, clock });
    const http = createHttp({ log, metrics, health });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
    log.info({ url }, 'listening');
    const replicationFactor = config.SECKILL_REPLICATION_FACTOR;
    const holder = `${instance}.${process.pid}`;
    const leading = leadWhenElected({ lease: platform.lease, holder, log, signal }, (until) =>
      lead({ platform, effects, admin, replicationFactor, log }, until),
    ).then((how) => {
      // Whatever it still remembers of its leadership may be wrong: a fresh process takes its place.
      if (how === 'lost') process.exit(1);
    });
    return {
      async stop() {
        await leading;
        await platform.close();
        await Promise.all([link.close(), admin.close(), ledger.close(), http.close()]);
      },
    };
  },
});
