import { Type } from 'typebox';
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

/** As the processes of the platform are told of them. SECKILL_ERR_CONFIG with a sentence for each wrong variable. */
export function serversOf(env: NodeJS.ProcessEnv): ServerSettings {
  const config = loadConfig(Type.Object({ ...REDIS_VARIABLES, ...KAFKA_VARIABLES, ...MYSQL_VARIABLES }), env);
  return { redis: redisServer(config), kafka: kafkaServers(config), mysql: mysqlServer(config) };
}

/** Whether the environment names any of them: then it is meant to name all. */
export function namesServers(env: NodeJS.ProcessEnv): boolean {
  return ['SECKILL_REDIS_URL', 'SECKILL_KAFKA_BROKERS', 'SECKILL_MYSQL_URL'].some((name) => (env[name] ?? '') !== '');
}

export function mysqlOf(env: NodeJS.ProcessEnv): MysqlServer {
  return mysqlServer(loadConfig(Type.Object(MYSQL_VARIABLES), env));
}
