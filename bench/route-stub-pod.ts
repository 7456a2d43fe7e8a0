import { Type } from 'typebox';
import { connectRedis } from '../lua/connection.ts';
import { readRegistry } from '../lua/registry.ts';
import { createStock } from '../lua/stock.ts';
import { RESERVE_ANSWER_MS } from '../services/domain/limits.ts';
import { systemClock } from '../services/kit/clock.ts';
import { REDIS_VARIABLES, TOKEN_VARIABLES } from '../services/kit/config.ts';
import { closeGently } from '../services/kit/http.ts';
import { runProcess } from '../services/kit/run.ts';
import { openTokenKeys } from '../services/kit/token-keys.ts';
import { createApp } from '../services/seckill/app.ts';
import { followRegistry } from '../services/seckill/registry-view.ts';
import type { SaleStock } from '../services/seckill/sale-stock.ts';

// The baseline of the purchase route: the same process, except that everybody wins without asking Redis.
await runProcess({
  role: 'seckill',
  schema: Type.Object({ ...REDIS_VARIABLES, ...TOKEN_VARIABLES }),
  async start({ config, log, metrics, health, faults }) {
    const tokens = openTokenKeys({ path: config.SECKILL_TOKEN_KEYS_FILE, log });
    const { SECKILL_REDIS_URL: url } = config;
    const link = connectRedis({ url, log, name: 'stub', commandTimeoutMs: RESERVE_ANSWER_MS });
    const real = createStock({ link });
    const stock: SaleStock = {
      reserve: async (_ref, attempts) => ({
        status: 'decided',
        nowMs: systemClock.nowMs(),
        availableUnits: 1,
        answers: attempts.map(() => ({ status: 'held', journalId: '1-1' })),
      }),
      lookup: (ref, ids) => real.lookup(ref, ids),
      snapshot: (ref) => real.snapshot(ref),
    };
    const registry = followRegistry({
      read: () => readRegistry(link, systemClock.monotonicMs),
      onReading: () => undefined,
      clock: systemClock,
      log,
    });
    const http = await createApp({ stock, registry, tokens, clock: systemClock, log, metrics, health, faults });
    await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_PORT });
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
