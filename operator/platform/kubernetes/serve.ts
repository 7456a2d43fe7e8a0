import type { Health } from '../../../services/kit/health.ts';
import type { Http } from '../../../services/kit/http.ts';
import type { Metrics } from '../../../services/kit/metrics.ts';
import { sendProblem } from '../../../services/kit/problem.ts';
import type { KubernetesPlatform } from './kubernetes.ts';
import { HEALTH_POLL_MS } from './workload-limits.ts';

/**
 * The table of routes for the edge, from every replica. Before the first sight of pools it answers 503: an empty table
 * would make all events unknown, and an edge that hears nothing keeps what it had.
 */
export function serveRoutes(http: Http, platform: Pick<KubernetesPlatform, 'routes'>): void {
  http.get('/routes', { schema: { hide: true } as object }, (_request, reply) => {
    const routes = platform.routes();
    if (routes === undefined) return sendProblem(reply, 'SECKILL_ERR_UNAVAILABLE', { retryAfterSeconds: 1 });
    return reply.header('cache-control', 'no-store').send(routes);
  });
}

/** Ready is who has seen all that it may see once, and could lead; who leads says nothing about it. */
export function followHealth(health: Health, platform: Pick<KubernetesPlatform, 'health'>): () => void {
  const look = (): void => {
    const { ready, problems } = platform.health();
    health.setReady('kubernetes', ready, problems.join('; ') || 'the first look at the cluster has not ended');
  };
  look();
  const timer = setInterval(look, HEALTH_POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Calls of the API since the start, as Prometheus counts them. */
export function showRequests(metrics: Metrics, platform: Pick<KubernetesPlatform, 'requests'>): void {
  metrics.counter('kubernetesRequests', () =>
    platform.requests().map(({ verb, resource, count }) => [[verb, resource], count] as const),
  );
}
