import type { TokenKeys } from '../domain/admission-token.ts';
import type { Clock } from '../kit/clock.ts';
import type { Faults } from '../kit/fault-points.ts';
import type { Health } from '../kit/health.ts';
import { createHttp, type Http } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import type { Metrics } from '../kit/metrics.ts';
import { addOpenApi } from '../kit/openapi.ts';
import { addEventRoute } from './event-route.ts';
import { createEventStates } from './event-state.ts';
import { createHints } from './hints.ts';
import { BODY_MAX_BYTES } from './limits.ts';
import { addPurchaseRoute } from './purchase-route.ts';
import type { RegistryView } from './registry-view.ts';
import { addReservationRoute } from './reservation-route.ts';
import { createReserveBatches } from './reserve-batches.ts';
import type { SaleStock } from './sale-stock.ts';

export interface AppDeps {
  stock: SaleStock;
  registry: RegistryView;
  tokens: { current(): TokenKeys };
  clock: Clock;
  log: Log;
  metrics: Metrics;
  health: Health;
  faults: Faults;
  /** ATTEMPTS_IN_FLIGHT_MAX unless said otherwise. */
  attemptsInFlightMax?: number;
}

/** The purchase API over a stock and a view of the registry. It is built here; main.ts connects it and listens. */
export async function createApp(deps: AppDeps): Promise<Http> {
  const { stock, registry, clock, metrics } = deps;
  metrics.gauge('registryAgeSeconds', () => Math.min(registry.ageMs() / 1_000, 86_400));
  metrics.gauge('clockSkewSeconds', () =>
    registry.known() ? (registry.redisNowMs() - clock.nowMs()) / 1_000 : undefined,
  );
  const hints = createHints({ stock, registry, clock });
  const batches = createReserveBatches({ ...deps, hints });
  const states = createEventStates({ stock, registry, clock });

  const http = createHttp({ ...deps, bodyLimitBytes: BODY_MAX_BYTES });
  http.addHook('onClose', async () => hints.close());
  await addOpenApi(http, {
    title: 'Seckill',
    description: 'Buying in a flash sale. Every answer is definite, or says when to ask again.',
    version: '1',
  });
  const verifications = metrics.tally('tokenVerifications');
  addPurchaseRoute(http, { ...deps, hints, batches, verifications });
  addReservationRoute(http, { ...deps, verifications });
  addEventRoute(http, { registry, states });
  await http.ready();
  return http;
}
