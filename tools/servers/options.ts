import { isAbsolute, join } from 'node:path';
import { searchPathOf } from './command.ts';
import { type DebianParts, debianParts, serverSet } from './debian.ts';
import { setupError } from './errors.ts';

/** What the user named, and where to look. Built once in a main file from the environment, then passed on. */
export interface ServerOptions {
  /** Servers that run already and that the user wants used. */
  redisUrl?: string;
  mysqlUrl?: string;
  kafkaBrokers?: string[];
  /** Programs that the user wants started. */
  redisServer?: string;
  mysqlServer?: string;
  kafkaHome?: string;
  nginxBinary?: string;
  prometheusBinary?: string;
  javaHome?: string;
  /** Options of the JVM that runs Maven, such as a proxy. */
  mavenOptions?: string;
  /** A folder with kube-apiserver, etcd and kubectl. */
  kubernetesAssets?: string;
  searchPath: readonly string[];
  /** The folder for what is fetched. Throws a sentence when there is none; asked only when it is needed. */
  cacheFolder: () => string;
  /** The unpacked Debian packages, fetched at the first call. One download serves all servers. */
  debian: () => Promise<DebianParts>;
  /** Told what is being done when it takes time: one line a call. */
  report: (line: string) => void;
}

const cacheFolderOf = (env: NodeJS.ProcessEnv): string => {
  const { XDG_CACHE_HOME: xdg, HOME: home } = env;
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'seckill');
  if (home !== undefined && isAbsolute(home)) return join(home, '.cache', 'seckill');
  throw setupError('There is no folder for downloads: set HOME or XDG_CACHE_HOME to a folder that you can write to.');
};

const reportToStderr = (line: string): void => {
  process.stderr.write(`seckill: ${line}\n`);
};

/**
 * Reads SECKILL_REDIS_URL, SECKILL_REDIS_SERVER, SECKILL_MYSQL_URL, SECKILL_MYSQL_SERVER, SECKILL_KAFKA_BROKERS (comma
 * separated), SECKILL_KAFKA_HOME, SECKILL_NGINX, SECKILL_PROMETHEUS, JAVA_HOME, MAVEN_OPTS, KUBEBUILDER_ASSETS, PATH, XDG_CACHE_HOME and HOME.
 */
export const serverOptions = (
  env: NodeJS.ProcessEnv,
  report: (line: string) => void = reportToStderr,
): ServerOptions => {
  const named = (key: string, variable: string) => {
    const value = env[variable]?.trim();
    return value === undefined || value === '' ? {} : { [key]: value };
  };
  const brokers = (env['SECKILL_KAFKA_BROKERS'] ?? '').split(',').map((broker) => broker.trim());
  const kafkaBrokers = brokers.filter((broker) => broker !== '');
  const cacheFolder = () => cacheFolderOf(env);
  const searchPath = searchPathOf(env['PATH']);
  let parts: Promise<DebianParts> | undefined;
  return {
    ...named('redisUrl', 'SECKILL_REDIS_URL'),
    ...named('redisServer', 'SECKILL_REDIS_SERVER'),
    ...named('mysqlUrl', 'SECKILL_MYSQL_URL'),
    ...named('mysqlServer', 'SECKILL_MYSQL_SERVER'),
    ...(kafkaBrokers.length > 0 ? { kafkaBrokers } : {}),
    ...named('kafkaHome', 'SECKILL_KAFKA_HOME'),
    ...named('nginxBinary', 'SECKILL_NGINX'),
    ...named('prometheusBinary', 'SECKILL_PROMETHEUS'),
    ...named('javaHome', 'JAVA_HOME'),
    ...named('mavenOptions', 'MAVEN_OPTS'),
    ...named('kubernetesAssets', 'KUBEBUILDER_ASSETS'),
    searchPath,
    cacheFolder,
    debian: () => {
      parts ??= debianParts({ cacheFolder: cacheFolder(), searchPath, report }, serverSet);
      return parts;
    },
    report,
  };
};
