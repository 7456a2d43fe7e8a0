import type { Health } from '../kit/health.ts';
import { createHttp, type Http } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Metrics } from '../kit/metrics.ts';
import { addOpenApi } from '../kit/openapi.ts';
import { addOrderRoute, type OrderRouteDeps } from './order-route.ts';

export interface AppDeps extends OrderRouteDeps {
  log: Log;
  metrics: Metrics;
  health: Health;
}

/** The order API over a ledger. It is built here; main.ts connects it and listens. */
export async function createApp(deps: AppDeps): Promise<Http> {
  const http = createHttp(deps);
  await addOpenApi(http, {
    title: 'Seckill orders',
    description: 'What became of a reservation, as the ledger has it.',
    version: '1',
  });
  addOrderRoute(http, deps);
  await http.ready();
  return http;
}
