import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../services/kit/log.ts';
import { newTokenKeys } from '../../../services/kit/token-keys.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { TOKEN_SECRET_RETRY_MS } from './workload-limits.ts';

/** The file in the Secret; pods and the order service mount it. */
const TOKEN_KEYS_FILE = 'token-keys.json';

interface Secret extends KubeObject {
  type: string;
  stringData: Record<string, string>;
}

/**
 * Makes the Secret of the keys that sign admission tokens, if there is none. One that is there is never touched: tokens
 * are out in the world that were signed by it. A template could not do this: it would make another key at each upgrade.
 */
export async function ensureTokenSecret(
  client: KubeClient,
  { namespace, name }: { namespace: string; name: string },
): Promise<'made' | 'there'> {
  if ((await client.get({ apiVersion: 'v1', kind: 'Secret', namespace, name })) !== undefined) return 'there';
  const made = await client.create<Secret>({
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
    metadata: { namespace, name, labels: { 'app.kubernetes.io/name': 'seckill' } },
    stringData: { [TOKEN_KEYS_FILE]: newTokenKeys() },
  });
  return made === 'exists' ? 'there' : 'made';
}

/** Until it is there: an API server that is away, or a permission that is missing, is waited for. */
export async function keepTokenSecret(
  client: KubeClient,
  { namespace, name, log }: { namespace: string; name: string; log: Log },
  signal: AbortSignal,
): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    try {
      if ((await ensureTokenSecret(client, { namespace, name })) === 'made') log.info({ name }, 'token keys were made');
      return;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== told) log.error({ err: error, name }, 'token keys could not be made, and are tried again');
      told = message;
    }
    await delay(TOKEN_SECRET_RETRY_MS, undefined, { signal }).catch(() => {});
  }
}
