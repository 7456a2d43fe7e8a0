import { Type } from 'typebox';
import { SeckillError } from '../services/domain/errors.ts';
import { KAFKA_VARIABLES, loadConfig, MYSQL_VARIABLES, REDIS_VARIABLES } from '../services/kit/config.ts';
import type { KafkaOptions } from '../services/kit/kafka/port.ts';
import { kafkaServers, type MysqlServer, mysqlServer, type RedisServer, redisServer } from '../services/kit/servers.ts';

/** Reads the environment; only main.ts does. */
export type ReadEnvironment = () => NodeJS.ProcessEnv;

/** What main.ts knows of the surroundings. */
export interface Around {
  environment: ReadEnvironment;
  /** Whether kubectl started us, as `kubectl seckill`. */
  plugin: boolean;
}

/** The servers of a platform, as a command reaches them. */
export interface ServerSettings {
  redis: RedisServer;
  kafka: Pick<KafkaOptions, 'brokers' | 'tls' | 'sasl'>;
  mysql: MysqlServer;
}

const VARIABLES = { ...REDIS_VARIABLES, ...KAFKA_VARIABLES, ...MYSQL_VARIABLES };
/** They say where a server is; the others how it is encrypted, and who logs in. */
const ADDRESSES = ['SECKILL_REDIS_URL', 'SECKILL_KAFKA_BROKERS', 'SECKILL_MYSQL_URL'];

/** As the processes of the platform are told of them. SECKILL_ERR_CONFIG with a sentence for each wrong variable. */
export function serversOf(env: NodeJS.ProcessEnv): ServerSettings {
  const config = loadConfig(Type.Object(VARIABLES), env);
  return { redis: redisServer(config), kafka: kafkaServers(config), mysql: mysqlServer(config) };
}

/** Whether the environment names any of them: then it is meant to name all. */
export function namesServers(env: NodeJS.ProcessEnv): boolean {
  return ADDRESSES.some((name) => isSet(env, name));
}

/**
 * A platform on this machine hands addresses on to its processes, and to other commands by endpoints.json, and nothing
 * else. Throws SECKILL_ERR_CONFIG that names what would be left out.
 */
export function refuseUnusedVariables(env: NodeJS.ProcessEnv): void {
  const unused = Object.keys(VARIABLES).filter((name) => !ADDRESSES.includes(name) && isSet(env, name));
  if (unused.length === 0) return;
  const sentence = `${unused.join(', ')}: a platform on this machine takes servers by their addresses only.`;
  const remedy = 'Unset it, and name servers that need no more, or none: then they are started.';
  throw new SeckillError('SECKILL_ERR_CONFIG', `${sentence} ${remedy}`);
}

const isSet = (env: NodeJS.ProcessEnv, name: string): boolean => (env[name] ?? '') !== '';

export function mysqlOf(env: NodeJS.ProcessEnv): MysqlServer {
  return mysqlServer(loadConfig(Type.Object(MYSQL_VARIABLES), env));
}
