import { setTimeout as pause } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../services/kit/log.ts';
import { unavailable } from './errors.ts';
import { readInfo } from './info.ts';
import { CONNECT_TIMEOUT_MS, RECONNECT_MAX_MS, RECONNECT_MIN_MS, SILENCE_MAX_MS } from './limits.ts';

/** A connection whose Redis has said who it is. */
export interface Connection {
  redis: Redis;
  /** Identity of the Redis run, `<run_id>.<master_replid>`, as read on this connection. */
  run: string;
  /** Another one for every connection, and for every identity. What was read under one serial is acted on only under it. */
  serial: number;
}

/**
 * The way to one Redis node: one connection at a time. A connection is given out only after the identity of its Redis
 * was read on it, and it is never revived: ioredis neither reconnects, nor queues, nor sends anything twice, so that no
 * command can reach a Redis whose identity nobody has looked at.
 */
export interface RedisLink {
  /** The open connection, if there is one at this moment. Without it nothing was sent: a definite outcome. */
  current(): Connection | undefined;
  /** Why there is none, from the last attempt. */
  problem(): unknown;
  /** Resolves when there is a connection; rejects when the signal aborts or the link is closed. */
  ready(signal?: AbortSignal): Promise<void>;
  /** Told of each call, see LinkOptions. */
  readonly onCall?: LinkOptions['onCall'];
  /** Reads the identity again on the open connection; `undefined` when there is none, or it does not answer. */
  refreshRun(): Promise<string | undefined>;
  /** Ends the connection at once: callers wait for their own commands first. */
  close(): Promise<void>;
}

export interface LinkOptions {
  /** `redis://` or `rediss://`, with user, password and database where needed. */
  url: string;
  /** PEM: the authority that signed the server's certificate, where the machine does not know it. */
  ca?: string;
  log: Log;
  /** What CLIENT LIST shows. */
  name: string;
  /** After this long without an answer the outcome of a command is unknown. */
  commandTimeoutMs: number;
  onChange?: (up: boolean) => void;
  /** Told of each call of a script, a journal or the registry: which, how long it took, what went wrong in a word. */
  onCall?: ((call: string, seconds: number, error: string | undefined) => void) | undefined;
}

/** Reads who the Redis behind this connection is. `undefined` while it still loads its data. */
async function readRun(redis: Redis): Promise<string | undefined> {
  const info = await readInfo(redis, ['server', 'replication', 'persistence']);
  const runId = info.get('run_id');
  const replicationId = info.get('master_replid');
  if (runId === undefined || replicationId === undefined || info.get('loading') === '1') return undefined;
  return `${runId}.${replicationId}`;
}

function clientOptions({ name, commandTimeoutMs, ca }: LinkOptions) {
  return {
    ...(ca === undefined ? {} : { tls: { ca } }),
    lazyConnect: true,
    connectionName: name,
    disableClientInfo: true,
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: commandTimeoutMs,
    socketTimeout: SILENCE_MAX_MS,
    retryStrategy: () => null,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    // readRun looks for `loading` itself.
    enableReadyCheck: false,
  } satisfies RedisOptions;
}

function isOpen(redis: Redis): boolean {
  return redis.status === 'ready' && redis.stream.writable;
}

/** Starts connecting at once, and goes on for as long as the link is not closed. */
export function connectRedis(options: LinkOptions): RedisLink {
  const { log, onChange } = options;
  const closing = new AbortController();
  const arrivals = new Set<() => void>();
  let connection: Connection | undefined;
  let serial = 0;
  let failures = 0;
  let problem: unknown;
  let refreshing: Promise<string | undefined> | undefined;

  const giveOut = (redis: Redis, run: string): void => {
    serial += 1;
    connection = { redis, run, serial };
    for (const arrived of arrivals) arrived();
    arrivals.clear();
  };

  /** One connection from its beginning to its end. Throws when it never came to be. */
  const live = async (redis: Redis): Promise<void> => {
    const ended = new Promise<void>((resolve) => redis.once('end', resolve));
    // Without a listener ioredis prints it. A wrong password is told here only: the command says that there is none.
    let refused: unknown;
    redis.on('error', (error) => {
      refused = error;
    });
    const run = await redis
      .connect()
      .then(() => readRun(redis))
      .catch((error: unknown) => {
        throw refused ?? error;
      });
    if (run === undefined) throw unavailable('Redis is still loading its data');
    failures = 0;
    problem = undefined;
    giveOut(redis, run);
    onChange?.(true);
    await ended;
  };

  const keepConnected = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const redis = new Redis(options.url, clientOptions(options));
      const end = (): void => redis.disconnect();
      closing.signal.addEventListener('abort', end, { once: true });
      try {
        await live(redis);
        if (!closing.signal.aborted) log.warn({ name: options.name }, 'lost the connection to Redis');
      } catch (error) {
        problem = error;
        if (failures === 0) log.warn({ name: options.name, err: error }, 'cannot connect to Redis');
        failures += 1;
      }
      closing.signal.removeEventListener('abort', end);
      redis.disconnect();
      const wasUp = connection !== undefined;
      connection = undefined;
      if (wasUp) onChange?.(false);
      const delayMs = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(failures, 10));
      // Aborted by close(): the loop ends by its condition.
      await pause(delayMs * (0.5 + Math.random() / 2), undefined, { signal: closing.signal }).catch(() => {});
    }
  };
  const loop = keepConnected();

  const current = (): Connection | undefined =>
    connection !== undefined && isOpen(connection.redis) ? connection : undefined;

  const refresh = async (): Promise<string | undefined> => {
    const before = current();
    if (before === undefined) return undefined;
    try {
      const run = await readRun(before.redis);
      if (connection !== before) return undefined;
      // A promotion gives a new identity to a connection that stays open.
      if (run !== undefined && run !== before.run) giveOut(before.redis, run);
      return run;
    } catch {
      return undefined;
    }
  };

  return {
    current,
    problem: () => problem,
    onCall: options.onCall,
    refreshRun: () => {
      refreshing ??= refresh().finally(() => {
        refreshing = undefined;
      });
      return refreshing;
    },
    ready: (signal) => {
      if (current() !== undefined) return Promise.resolve();
      return new Promise<void>((resolve, reject) => {
        const signals = signal === undefined ? [closing.signal] : [closing.signal, signal];
        const any = AbortSignal.any(signals);
        const give = (): void => {
          any.removeEventListener('abort', abandon);
          resolve();
        };
        const abandon = (): void => {
          arrivals.delete(give);
          reject(unavailable('there is no connection to Redis', problem ?? any.reason));
        };
        if (any.aborted) return abandon();
        arrivals.add(give);
        any.addEventListener('abort', abandon, { once: true });
      });
    },
    close: async () => {
      closing.abort();
      await loop;
    },
  };
}
