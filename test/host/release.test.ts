import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { startRelease } from '../../cli/up/release.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { tempDir } from '../support/temp-dir.ts';

const dir = tempDir();

afterEach(() => {
  vi.restoreAllMocks();
});

test('the time to start does not run while servers are looked for and fetched', async () => {
  // Whatever the network may take: every deadline of the start is over by then.
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
  const starting = startRelease({
    ...{ stateDir: join(dir, 'slow'), manifests: [], operators: 1, relays: 1, orders: 1, log: () => undefined },
    signal: new AbortController().signal,
    servers: () => serverOptions({ ...process.env, SECKILL_REDIS_SERVER: join(dir, 'missing') }),
  });
  await expect(starting).rejects.toThrow(/SECKILL_REDIS_SERVER/);
});
