import type { KubeClient, KubeObject } from '../../operator/platform/kubernetes/client.ts';
import { eventRef, readEvent, type SeckillEventObject } from '../../operator/platform/kubernetes/seckill-events.ts';
import type { TokenKeys } from '../../services/domain/admission-token.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import { parseTokenKeys } from '../../services/kit/token-keys.ts';
import { type ClusterOptions, withCluster } from './place.ts';
import { requireRelease } from './release.ts';

export interface EventName {
  namespace: string;
  name: string;
}

/** What a token is minted for. */
export interface KnownSale {
  eventId: string;
  endMs: number;
}

interface Secret extends KubeObject {
  /** In base64. */
  data?: Record<string, string>;
}

const TOKEN_KEYS_FILE = 'token-keys.json';

/** A sale of a cluster, and the keys of its release. The operator's pod is told of its Secret; others look for it. */
export function clusterSale(
  event: EventName,
  options: ClusterOptions & { releaseNamespace?: string },
  env: NodeJS.ProcessEnv,
): Promise<{ sale: KnownSale; keys: TokenKeys }> {
  return withCluster(options, env, async (client) => {
    const { SECKILL_NAMESPACE: namespace, SECKILL_TOKEN_SECRET: tokenSecret } = env;
    const told = namespace !== undefined && tokenSecret !== undefined ? { namespace, tokenSecret } : undefined;
    const release = told ?? (await requireRelease(client, options.releaseNamespace));
    const [sale, keys] = await Promise.all([saleOf(client, eventKeyOf(event)), keysOf(client, release)]);
    return { sale, keys };
  });
}

async function saleOf(client: KubeClient, key: string): Promise<KnownSale> {
  const object = await client.get<SeckillEventObject>(eventRef(key));
  if (object === undefined) {
    throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', `There is no event ${key} in the cluster.`);
  }
  const event = readEvent(object);
  const eventId = object.status?.eventId;
  if ('problems' in event || eventId === undefined) {
    throw new SeckillError('SECKILL_ERR_NOT_READY', `${key} has no stock yet: there are tokens from its preheat on.`);
  }
  return { eventId, endMs: Date.parse(event.spec.schedule.endTime) };
}

async function keysOf(
  client: KubeClient,
  { namespace, tokenSecret }: { namespace: string; tokenSecret: string },
): Promise<TokenKeys> {
  const from = `The Secret ${namespace}/${tokenSecret}`;
  const secret = await client.get<Secret>({ apiVersion: 'v1', kind: 'Secret', namespace, name: tokenSecret });
  const text = secret?.data?.[TOKEN_KEYS_FILE];
  if (text === undefined) {
    throw new SeckillError(
      'SECKILL_ERR_UNAVAILABLE',
      `${from} has no ${TOKEN_KEYS_FILE}: the operator makes it when it runs.`,
    );
  }
  return parseTokenKeys(Buffer.from(text, 'base64').toString(), from);
}
