import type { RedisLink } from './connection.ts';
import { unavailable } from './errors.ts';
import { readInfo } from './info.ts';
import { replyCode } from './loader.ts';

/** What the operator's checks want to know of a Redis before a sale is armed on it. */
export interface ServerFacts {
  run: string;
  version: string;
  maxmemoryPolicy: string;
  aofEnabled: boolean;
  /** Whether the last write of the append-only file succeeded. */
  aofWritten: boolean;
  /** CPU time, user and system. */
  cpuSeconds: number;
  usedMemoryBytes: number;
  /** 0: unlimited. */
  maxmemoryBytes: number;
  connectedReplicas: number;
  /** Those of them that have all there is and get what comes; the others are still being filled. */
  onlineReplicas: number;
  /** For how long the most silent one that is online has not acknowledged anything; absent when there is none. */
  replicaLagSeconds?: number;
  /** 0 when it is not set. Where CONFIG is forbidden, 1 stands for "set". */
  minReplicasToWrite: number;
  role: string;
}

/** Throws SECKILL_ERR_UNAVAILABLE when Redis is away. */
export async function readServerFacts(link: RedisLink): Promise<ServerFacts> {
  const connection = link.current();
  if (connection === undefined) throw unavailable('there is no connection to Redis', link.problem());
  const { redis, run } = connection;
  try {
    const info = await readInfo(redis, ['server', 'memory', 'persistence', 'replication', 'cpu']);
    // INFO shows this line only when min-replicas-to-write is set.
    let minReplicasToWrite = info.has('min_slaves_good_slaves') ? 1 : 0;
    try {
      const [, value] = (await redis.config('GET', 'min-replicas-to-write')) as string[];
      if (value !== undefined) minReplicasToWrite = Number(value);
    } catch (error) {
      // Managed services forbid CONFIG; INFO has told enough.
      if (replyCode(error) === undefined) throw error;
    }
    return {
      run,
      version: info.get('redis_version') ?? '',
      maxmemoryPolicy: info.get('maxmemory_policy') ?? '',
      aofEnabled: info.get('aof_enabled') === '1',
      aofWritten: info.get('aof_last_write_status') !== 'err',
      cpuSeconds: Number(info.get('used_cpu_sys') ?? 0) + Number(info.get('used_cpu_user') ?? 0),
      usedMemoryBytes: Number(info.get('used_memory') ?? 0),
      maxmemoryBytes: Number(info.get('maxmemory') ?? 0),
      connectedReplicas: Number(info.get('connected_slaves') ?? 0),
      ...linksOf(info),
      minReplicasToWrite,
      role: info.get('role') ?? '',
    };
  } catch (error) {
    throw unavailable('Redis does not tell its facts', error);
  }
}

/** `slave0:ip=…,port=…,state=online,offset=…,lag=0`, and so on. */
function linksOf(info: ReadonlyMap<string, string>): Pick<ServerFacts, 'onlineReplicas' | 'replicaLagSeconds'> {
  const links = [...info].flatMap(([name, fields]) =>
    /^slave\d+$/.test(name) ? [new URLSearchParams(fields.replaceAll(',', '&'))] : [],
  );
  const lags = links.filter((link) => link.get('state') === 'online').map((link) => Number(link.get('lag')));
  return { onlineReplicas: lags.length, ...(lags.length === 0 ? {} : { replicaLagSeconds: Math.max(...lags) }) };
}
