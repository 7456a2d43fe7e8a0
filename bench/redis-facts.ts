import type { RedisLink } from '../lua/connection.ts';

export interface RedisUse {
  /** CPU time of the whole process, microseconds. */
  cpuMicros: number;
  /** Calls of scripts so far. */
  scriptCalls: number;
}

/** Redis's own account, by INFO. */
export async function redisUse(link: RedisLink): Promise<RedisUse> {
  const redis = link.current()?.redis;
  if (redis === undefined) throw new Error('Redis is away');
  const text = `${await redis.info('cpu')}\n${await redis.info('commandstats')}`;
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    cpuMicros: (field('used_cpu_user') + field('used_cpu_sys')) * 1_000_000,
    scriptCalls: Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(text)?.[1] ?? 0),
  };
}
