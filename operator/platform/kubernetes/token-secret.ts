import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../services/kit/log.ts';
import { newTokenKeys } from '../../../services/kit/token-keys.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { TOKEN_SECRET_LOOK_MS, TOKEN_SECRET_RETRY_MS } from './workload-limits.ts';

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

/**
 * Until the signal: an API server that is away, or a permission that is missing, is waited for; and without the Secret no
 * new pod would start, so that one that was deleted is made anew.
 */
export async function keepTokenSecret(
  client: KubeClient,
  { namespace, name, log, lookMs = TOKEN_SECRET_LOOK_MS }: TokenSecretOptions,
  signal: AbortSignal,
): Promise<void> {
  let told = '';
  let seen = false;
  while (!signal.aborted) {
    let afterMs = lookMs;
    try {
      const made = (await ensureTokenSecret(client, { namespace, name })) === 'made';
      if (made && seen)
        log.error({ name }, 'the token keys were deleted: others were made, and former tokens are refused');
      else if (made) log.info({ name }, 'token keys were made');
      seen = true;
      told = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== told)
        log.error({ err: error, name }, 'token keys could not be looked after, which is tried again');
      told = message;
      afterMs = TOKEN_SECRET_RETRY_MS;
    }
    await delay(afterMs, undefined, { signal }).catch(() => {});
  }
}

interface TokenSecretOptions {
  namespace: string;
  name: string;
  log: Log;
  lookMs?: number;
}
