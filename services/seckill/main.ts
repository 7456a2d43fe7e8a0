import { Type } from 'typebox';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { readRegistry } from '../../lua/registry.ts';
import { createStock } from '../../lua/stock.ts';
import { RESERVE_ANSWER_MS } from '../domain/limits.ts';
import { systemClock } from '../kit/clock.ts';
import { REDIS_VARIABLES, TOKEN_VARIABLES } from '../kit/config.ts';
import { closeGently } from '../kit/http.ts';
import { observeRedis } from '../kit/redis-calls.ts';
import { runProcess } from '../kit/run.ts';
import { redisServer } from '../kit/servers.ts';
import { openTokenKeys } from '../kit/token-keys.ts';
import { createApp } from './app.ts';
import { ATTEMPTS_IN_FLIGHT_MAX } from './limits.ts';
import { createReadiness } from './readiness.ts';
import { followRegistry } from './registry-view.ts';

await runProcess({
  role: 'seckill',
  schema: Type.Object({
    ...REDIS_VARIABLES,
    ...TOKEN_VARIABLES,
    SECKILL_ATTEMPTS_IN_FLIGHT_MAX: Type.Integer({
      default: ATTEMPTS_IN_FLIGHT_MAX,
      minimum: 1,
      maximum: 100_000,
      description: 'the number of attempts, from 1 to 100000, beyond which the next one is told to come back',
    }),
  }),
  async start({ config, instance, log, metrics, health, faults }) {
    const clock = systemClock;
    const tokens = openTokenKeys({ path: config.SECKILL_TOKEN_KEYS_FILE, log });
    const link: RedisLink = connectRedis({
      ...redisServer(config),
      log,
      name: `seckill-${instance}`,
      commandTimeoutMs: RESERVE_ANSWER_MS,
      onCall: observeRedis(metrics),
      onChange: (up) => (up ? registry.refresh() : readiness.lost()),
    });
    const stock = createStock({ link });
    const readiness = createReadiness({ stock, health });
    const registry = followRegistry({
      read: () => readRegistry(link, clock.monotonicMs),
      onReading: readiness.judge,
      clock,
      log,
    });
    const http = await createApp({
      stock,
      registry,
      tokens,
      clock,
      log,
      metrics,
      health,
      faults,
      attemptsInFlightMax: config.SECKILL_ATTEMPTS_IN_FLIGHT_MAX,
    });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
    log.info({ url }, 'listening');
    return {
      async stop() {
        await closeGently(http, health);
        await registry.stop();
        tokens.close();
        await link.close();
      },
    };
  },
});
