import { Type } from 'typebox';
import { createLedger } from '../ledger/ledger.ts';
import { connectRedis } from '../lua/connection.ts';
import { createJournal } from '../lua/journal.ts';
import { createStock } from '../lua/stock.ts';
import { systemClock } from '../services/kit/clock.ts';
import { KAFKA_VARIABLES, MYSQL_VARIABLES, REDIS_VARIABLES } from '../services/kit/config.ts';
import { createHttp } from '../services/kit/http.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import { observeRedis } from '../services/kit/redis-calls.ts';
import { runProcess } from '../services/kit/run.ts';
import { kafkaServers, mysqlServer, redisServer } from '../services/kit/servers.ts';
import { createEffects } from './effects/effects.ts';
import { startLeaderMetrics } from './effects/metrics/leader.ts';
import { leadWhenElected } from './leader.ts';
import { REDIS_TIMEOUT_MS } from './limits.ts';
import { openPlatform } from './open-platform.ts';
import { lead } from './operator.ts';
import { OPERATOR_VARIABLES, platformChoice } from './variables.ts';

await runProcess({
  role: 'operator',
  schema: Type.Object({
    ...REDIS_VARIABLES,
    ...KAFKA_VARIABLES,
    ...MYSQL_VARIABLES,
    ...OPERATOR_VARIABLES,
  }),
  async start({ config, instance, log, metrics, health, faults, signal }) {
    const choice = platformChoice(config);
    const link = connectRedis({
      ...redisServer(config),
      log,
      name: `operator-${instance}`,
      commandTimeoutMs: REDIS_TIMEOUT_MS,
      // Its calls are few, and its series are for the events.
      onCall: observeRedis(metrics, []),
    });
    const kafka = createKafka({ ...kafkaServers(config), clientId: `operator-${instance}`, log });
    const admin = kafka.admin();
    const retries = metrics.tally('ledgerRetries');
    const ledger = createLedger({ ...mysqlServer(config), log, onRetry: (kind) => retries.add(kind) });
    const stock = createStock({ link });
    const journal = createJournal({ link });
    const clock = systemClock;
    const effects = createEffects({ link, stock, journal, ledger, kafka, admin, faults, clock, log });
    const http = createHttp({ log, metrics, health });
    const env = { config, path: process.env['PATH'] ?? '' };
    const { platform, leaseTimes, close } = await openPlatform(choice, {
      env,
      instance,
      log,
      clock,
      http,
      health,
      metrics,
      signal,
    });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
    log.info({ url }, 'listening');
    const replicationFactor = config.SECKILL_REPLICATION_FACTOR;
    const holder = `${instance}.${process.pid}`;
    let isLeading = false;
    metrics.gauge('leader', () => (isLeading ? 1 : 0));
    const startMetrics = (until: AbortSignal) => {
      isLeading = true;
      until.addEventListener('abort', () => {
        isLeading = false;
      });
      const { board } = effects.audit;
      return startLeaderMetrics({ link, stock, journal, ledger, admin, board, metrics, log }, until);
    };
    const leading = leadWhenElected({ lease: platform.lease, holder, log, signal, ...leaseTimes }, (until) =>
      lead({ platform, effects, admin, replicationFactor, log, startMetrics }, until),
    ).then((how) => {
      // Whatever it still remembers of its leadership may be wrong: a fresh process takes its place.
      if (how === 'lost') process.exit(1);
    });
    return {
      async stop() {
        await leading;
        await close();
        await Promise.all([link.close(), admin.close(), ledger.close(), http.close()]);
      },
    };
  },
});
