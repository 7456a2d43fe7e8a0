import { prepareCluster } from '../../tools/cluster/cluster.ts';
import { prepareImage } from '../../tools/image/build.ts';
import { findHelm } from '../../tools/kubernetes/helm.ts';
import { findKafka } from '../../tools/servers/kafka.ts';
import { findMariadb } from '../../tools/servers/mariadb.ts';
import type { ServerOptions } from '../../tools/servers/options.ts';
import { findRedis } from '../../tools/servers/redis.ts';

/**
 * Fetches and builds what the cache lacks of all that the run will need, and answers how long each part took. Compiling
 * keeps every processor busy and fetching none, so the two go on side by side.
 */
export const prepare = async (options: ServerOptions): Promise<string> => {
  const parts: [string, () => Promise<unknown>][] = [
    ['Kubernetes and the node', () => prepareCluster(options)],
    ['Redis', () => findRedis(options)],
    ['MariaDB', () => findMariadb(options)],
    ['Kafka', () => findKafka(options)],
    ['Helm 3', () => findHelm(options, 3)],
    ['Helm 4', () => findHelm(options, 4)],
    ['the base of the image', () => prepareImage(options)],
  ];
  const startMs = performance.now();
  const timed = async ([what, make]: (typeof parts)[number]) => {
    await make();
    return `${what}: there after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`;
  };
  return (await Promise.all(parts.map(timed))).join('\n');
};
