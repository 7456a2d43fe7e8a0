import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { messageOf, setupError } from './errors.ts';
import { describeKafka, findKafka } from './kafka.ts';
import { NAMED_SERVER_TIMEOUT_MS } from './limits.ts';
import { findMariadb } from './mariadb.ts';
import { findNginx } from './nginx.ts';
import type { ServerOptions } from './options.ts';
import { findPrometheus } from './prometheus.ts';
import { findRedis } from './redis.ts';

/** What the set-up says of one server. */
export interface ResolvedServer {
  server: 'Redis' | 'MariaDB' | 'Kafka' | 'nginx' | 'Prometheus' | 'Kubernetes' | 'Helm 3' | 'Helm 4';
  version: string;
  /** `url`: it runs already and the user named it; the others are programs or jars. */
  from: 'url' | 'named' | 'path' | 'cache';
  where: string;
}

export interface MissingServer {
  server: ResolvedServer['server'];
  /** A sentence that says what to do. */
  missing: string;
}

const redisVersion = async (url: string): Promise<string> => {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: NAMED_SERVER_TIMEOUT_MS });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '';
  } finally {
    redis.disconnect();
  }
};

const mysqlVersion = async (url: string): Promise<string> => {
  const connection = await createConnection({ uri: url, connectTimeout: NAMED_SERVER_TIMEOUT_MS });
  try {
    const [rows] = await connection.query({ sql: 'SELECT VERSION()', rowsAsArray: true });
    return String((rows as unknown[][])[0]?.[0]);
  } finally {
    connection.destroy();
  }
};

/** A server that runs already is used if it answers; one that does not is an error, never replaced by another. */
const running = async (variable: string, where: string, version: () => Promise<string>) => {
  try {
    return { version: await version(), from: 'url' as const, where };
  } catch (error) {
    throw setupError(`${variable} names a server that does not answer (${messageOf(error)}).`, error);
  }
};

/** Passwords are not for the screen. */
const shown = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

type Found = Omit<ResolvedServer, 'server'>;

const resolveRedis = async (options: ServerOptions): Promise<Found> => {
  const { redisUrl } = options;
  if (redisUrl !== undefined) return running('SECKILL_REDIS_URL', shown(redisUrl), () => redisVersion(redisUrl));
  const { version, from, path } = await findRedis(options);
  return { version, from, where: path };
};

const resolveMariadb = async (options: ServerOptions): Promise<Found> => {
  const { mysqlUrl } = options;
  if (mysqlUrl !== undefined) return running('SECKILL_MYSQL_URL', shown(mysqlUrl), () => mysqlVersion(mysqlUrl));
  const { version, from, path, product } = await findMariadb(options);
  return { version: product === 'mysql' ? `MySQL ${version}` : version, from, where: path };
};

const resolveKafka = async (options: ServerOptions): Promise<Found> => {
  const { kafkaBrokers } = options;
  if (kafkaBrokers !== undefined) {
    return running('SECKILL_KAFKA_BROKERS', kafkaBrokers.join(','), async () => {
      const { clusterId } = await describeKafka(kafkaBrokers);
      return `cluster ${clusterId}`;
    });
  }
  const { version, from, libraries } = await findKafka(options);
  return { version, from, where: libraries };
};

const resolveNginx = async (options: ServerOptions): Promise<Found> => {
  const { version, from, path } = await findNginx(options);
  return { version, from, where: path };
};

const resolvePrometheus = async (options: ServerOptions): Promise<Found> => {
  const { version, from, path } = await findPrometheus(options);
  return { version, from, where: path };
};

/** Every server the platform needs on a machine, each found or fetched; what cannot be had is told, all at once. */
export const resolveServers = (options: ServerOptions): Promise<(ResolvedServer | MissingServer)[]> => {
  const rows: [ResolvedServer['server'], Promise<Found>][] = [
    ['Redis', resolveRedis(options)],
    ['MariaDB', resolveMariadb(options)],
    ['Kafka', resolveKafka(options)],
    ['nginx', resolveNginx(options)],
    ['Prometheus', resolvePrometheus(options)],
  ];
  return Promise.all(
    rows.map(async ([server, found]) => {
      try {
        return { server, ...(await found) };
      } catch (error) {
        return { server, missing: messageOf(error) };
      }
    }),
  );
};

/** One sentence for each reason, with all the servers that are missing for it. */
export const missingSentences = (rows: readonly (ResolvedServer | MissingServer)[]): string[] => {
  const missing = rows.filter((row) => 'missing' in row);
  return [...Map.groupBy(missing, (row) => row.missing)].map(
    ([sentence, servers]) => `${servers.map(({ server }) => server).join(', ')}: ${sentence}`,
  );
};
