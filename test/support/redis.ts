import { afterAll, beforeAll } from 'vitest';
import { serverOptions } from '../../tools/servers/options.ts';
import type { StartOptions } from '../../tools/servers/own-server.ts';
import { type OwnRedis, startRedis } from '../../tools/servers/redis.ts';

export interface OwnRedisOfFile {
  readonly url: string;
  readonly port: number;
  /** To kill, pause and start it again: same port, same data. */
  readonly server: OwnRedis;
}

/**
 * A Redis of this test file (or of this `describe`), started before its tests and gone after them. Call it at the top
 * level; read `url` and `server` inside of hooks and tests.
 */
export const ownRedis = (options: StartOptions = {}): OwnRedisOfFile => {
  let redis: OwnRedis | undefined;
  const started = (): OwnRedis => {
    if (redis === undefined) throw new Error('ownRedis() starts in beforeAll: read it inside of a hook or a test');
    return redis;
  };
  beforeAll(async () => {
    redis = await startRedis(serverOptions(process.env), options);
  });
  afterAll(async () => {
    await redis?.close();
  });
  return {
    get url() {
      return started().url;
    },
    get port() {
      return started().port;
    },
    get server() {
      return started();
    },
  };
};
