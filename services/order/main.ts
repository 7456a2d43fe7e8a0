import { setTimeout as delay } from 'node:timers/promises';
import { Type } from 'typebox';
import { createLedger, type Ledger } from '../../ledger/ledger.ts';
import { connectRedis } from '../../lua/connection.ts';
import { createStock } from '../../lua/stock.ts';
import { systemClock } from '../kit/clock.ts';
import { KAFKA_VARIABLES, MYSQL_VARIABLES, REDIS_VARIABLES, TOKEN_VARIABLES } from '../kit/config.ts';
import type { Health } from '../kit/health.ts';
import { closeGently } from '../kit/http.ts';
import { createKafka } from '../kit/kafka/kafka.ts';
import { HOLDS_DEAD_TOPIC, HOLDS_TOPIC, ORDER_GROUP } from '../kit/kafka/topics.ts';
import type { Log } from '../kit/log.ts';
import { observeRedis } from '../kit/redis-calls.ts';
import { runProcess } from '../kit/run.ts';
import { kafkaServers, mysqlServer, redisServer } from '../kit/servers.ts';
import { openTokenKeys } from '../kit/token-keys.ts';
import { createApp } from './app.ts';
import { createDeadLetters } from './dead-letters.ts';
import { createChunkHandler } from './handle-chunk.ts';
import { CHUNK_MAX_MESSAGES, PARTITIONS_AT_ONCE, REDIS_TIMEOUT_MS, SCHEMA_POLL_MS } from './limits.ts';
import { createReturnsSweeper } from './returns-sweeper.ts';
import { createStockBringer } from './stock-bringer.ts';

const NAME = '^[A-Za-z0-9._-]{1,249}$';

const ORDER_VARIABLES = {
  SECKILL_HOLDS_TOPIC: Type.String({ default: HOLDS_TOPIC, pattern: NAME, description: 'the name of a topic' }),
  SECKILL_HOLDS_DEAD_TOPIC: Type.String({
    default: HOLDS_DEAD_TOPIC,
    pattern: NAME,
    description: 'the name of a topic',
  }),
  SECKILL_ORDER_GROUP: Type.String({ default: ORDER_GROUP, pattern: NAME, description: 'the name of a Kafka group' }),
};

await runProcess({
  role: 'order',
  schema: Type.Object({
    ...REDIS_VARIABLES,
    ...KAFKA_VARIABLES,
    ...MYSQL_VARIABLES,
    ...TOKEN_VARIABLES,
    ...ORDER_VARIABLES,
  }),
  async start({ config, instance, log, metrics, health, faults, signal }) {
    const tokens = openTokenKeys({ path: config.SECKILL_TOKEN_KEYS_FILE, log });
    const retries = metrics.tally('ledgerRetries');
    const ledger = createLedger({ ...mysqlServer(config), log, onRetry: (kind) => retries.add(kind) });
    health.setReady('redis', false, 'there is no connection yet');
    const link = connectRedis({
      ...redisServer(config),
      log,
      name: `order-${instance}`,
      commandTimeoutMs: REDIS_TIMEOUT_MS,
      onCall: observeRedis(metrics),
      onChange: (up) => health.setReady('redis', up, 'the connection is lost'),
    });
    const kafka = createKafka({ ...kafkaServers(config), clientId: `order-${instance}`, log });
    const producer = kafka.producer();
    const bringer = createStockBringer({ stock: createStock({ link }), ledger, faults, log, metrics });
    const deadLetters = createDeadLetters({ producer, log, metrics, topic: config.SECKILL_HOLDS_DEAD_TOPIC });
    const consumer = kafka.consumer({
      groupId: config.SECKILL_ORDER_GROUP,
      topic: config.SECKILL_HOLDS_TOPIC,
      chunkMaxMessages: CHUNK_MAX_MESSAGES,
      partitionsAtOnce: PARTITIONS_AT_ONCE,
      onChunk: createChunkHandler({ ledger, bringer, deadLetters, clock: systemClock, faults, metrics }),
    });
    metrics.gauge('consumerPartitions', () => consumer.status().partitions.length);
    metrics.counter('consumerRestarts', () => consumer.status().restarts);
    const sweeper = createReturnsSweeper({ ledger, bringer, faults, log });
    const http = await createApp({ orders: ledger.orders, tokens, clock: systemClock, log, metrics, health });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
    log.info({ url }, 'listening');

    const working = (async () => {
      await schemaReady(ledger, health, log, signal);
      if (signal.aborted) return;
      await consumer.start();
      sweeper.start();
    })();

    return {
      async stop() {
        await working;
        await Promise.all([consumer.stop(), sweeper.stop(), closeGently(http, health)]);
        await producer.close();
        tokens.close();
        await Promise.all([ledger.close(), link.close()]);
      },
    };
  },
});

/** The operator migrates; this process waits for it, and for a database that is away. */
async function schemaReady(ledger: Ledger, health: Health, log: Log, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const { pendingMigrations } = await ledger.ping();
      if (pendingMigrations.length === 0) return health.setReady('ledger', true);
      health.setReady('ledger', false, `migrations are missing: ${pendingMigrations.join(', ')}`);
    } catch (error) {
      if (attempt === 0) log.warn({ err: error }, 'the ledger is not there yet');
      health.setReady('ledger', false, 'the database does not answer');
    }
    await delay(SCHEMA_POLL_MS, undefined, { signal }).catch(() => {});
  }
}
