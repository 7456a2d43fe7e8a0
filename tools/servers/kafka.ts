import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { pino } from 'pino';
import { createClient } from '../../services/kit/kafka/client.ts';
import { cachedFolder } from './cache.ts';
import { atLeast, findProgram, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import { findJava } from './java.ts';
import type { LaunchSpec } from './launch.ts';
import {
  KAFKA_FORMAT_TIMEOUT_MS,
  KAFKA_READY_TIMEOUT_MS,
  KAFKA_STOP_TIMEOUT_MS,
  MAVEN_TIMEOUT_MS,
  PROBE_TIMEOUT_MS,
} from './limits.ts';
import type { ServerOptions } from './options.ts';
import { type OwnServer, type StartOptions, startServer } from './own-server.ts';
import { freePort } from './ports.ts';
import { withProgress } from './progress.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from './ready.ts';
import { retried } from './retried.ts';

const LEAST_VERSION = '3.9';
const POLL_INTERVAL_MS = 100;
const recipe = join(import.meta.dirname, 'kafka');

export interface KafkaBinary {
  /** The folder of Kafka's jars. */
  libraries: string;
  version: string;
  from: 'named' | 'path' | 'cache';
  java: string;
}

export interface KafkaServer {
  brokers: string[];
  port: number;
  clusterId: string;
  launch: LaunchSpec;
}

const versionIn = (libraries: string): string => {
  const jars = existsSync(libraries) ? readdirSync(libraries) : [];
  return jars.map((jar) => /^kafka-clients-(\d[\d.]*)\.jar$/.exec(jar)?.[1]).find((found) => found !== undefined) ?? '';
};

/** kafka-server-start.sh lives in HOME/bin; Homebrew's wrapper of it in PREFIX/bin, with HOME at PREFIX/libexec. */
const librariesOnPath = (searchPath: readonly string[]): string | undefined => {
  for (const name of ['kafka-server-start.sh', 'kafka-server-start']) {
    const script = findProgram(name, searchPath);
    if (script === undefined) continue;
    const home = dirname(dirname(realpathSync(script)));
    const found = [join(home, 'libs'), join(home, 'libexec/libs')].find((folder) =>
      atLeast(versionIn(folder), LEAST_VERSION),
    );
    if (found !== undefined) return found;
  }
  return undefined;
};

const copyJars = async (folder: string, maven: string, java: string, options: ServerOptions): Promise<void> => {
  const repository = `-Dmaven.repo.local=${join(folder, 'repository')}`;
  // -U: what an earlier attempt did not find is asked for again.
  const args = ['-B', '-U', '-q', '-ntp', repository, 'dependency:copy-dependencies'];
  const { code, stdout, stderr } = await runCommand(
    maven,
    [...args, '-DincludeScope=runtime', `-DoutputDirectory=${join(folder, 'lib')}`],
    {
      cwd: folder,
      timeoutMs: MAVEN_TIMEOUT_MS,
      env: {
        PATH: options.searchPath.join(':'),
        JAVA_HOME: dirname(dirname(realpathSync(java))),
        HOME: folder,
        MAVEN_OPTS: `-XX:-UsePerfData ${options.mavenOptions ?? ''}`.trimEnd(),
      },
    },
  );
  if (code !== 0) {
    const line = stripVTControlCharacters(`${stdout}\n${stderr}`)
      .split('\n')
      .find((text) => text.startsWith('[ERROR]'));
    throw setupError(
      `Maven could not fetch Kafka (${line?.slice('[ERROR] '.length).replace(/ -> \[Help.*/, '') ?? stderr.trim()}): ` +
        'check the network (a mirror is set in ~/.m2/settings.xml), or name a Kafka by SECKILL_KAFKA_HOME, ' +
        'or a running one by SECKILL_KAFKA_BROKERS.',
    );
  }
};

const fetchJars = async (folder: string, java: string, options: ServerOptions): Promise<void> => {
  const maven = findProgram('mvn', options.searchPath);
  if (maven === undefined) {
    throw setupError(
      "Kafka is not on PATH, and there is no Maven to fetch it with: install Maven (Debian: 'apt install maven'), " +
        'or name a Kafka by SECKILL_KAFKA_HOME, or a running one by SECKILL_KAFKA_BROKERS.',
    );
  }
  await copyFile(join(recipe, 'pom.xml'), join(folder, 'pom.xml'));
  await retried(options.report, 'fetching Kafka', () => copyJars(folder, maven, java, options));
  await rm(join(folder, 'repository'), { recursive: true });
};

/** Where Kafka is: SECKILL_KAFKA_HOME, PATH, or the cache, filled from Maven Central. It needs Java in any case. */
export const findKafka = async (options: ServerOptions): Promise<KafkaBinary> => {
  const java = await findJava(options);
  const { kafkaHome: named } = options;
  if (named !== undefined) {
    const libraries = [join(named, 'libs'), join(named, 'lib')].find((folder) =>
      atLeast(versionIn(folder), LEAST_VERSION),
    );
    if (libraries !== undefined) return { libraries, version: versionIn(libraries), from: 'named', java };
    throw setupError(`SECKILL_KAFKA_HOME names ${named}, which has no Kafka ${LEAST_VERSION} or later in its libs/.`);
  }
  const onPath = librariesOnPath(options.searchPath);
  if (onPath !== undefined) return { libraries: onPath, version: versionIn(onPath), from: 'path', java };
  const pom = readFileSync(join(recipe, 'pom.xml'));
  const wanted = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(pom.toString())?.[1] ?? '';
  const name = `kafka-${wanted}-${createHash('sha256').update(pom).digest('hex').slice(0, 8)}`;
  const folder = await cachedFolder(options.cacheFolder(), name, (partial) =>
    withProgress(options.report, 'fetching Kafka from Maven Central', 'once, about 60 MB into your cache', () =>
      fetchJars(partial, java, options),
    ),
  );
  return { libraries: join(folder, 'lib'), version: wanted, from: 'cache', java };
};

/** One node that is broker and controller. The short session lets it come back 3 s after a kill, not 12 s. */
const configuration = (dataDir: string, port: number, controllerPort: number): Record<string, string> => ({
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'log.dirs': dataDir,
  'auto.create.topics.enable': 'false',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '2',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'broker.session.timeout.ms': '1000',
  'broker.heartbeat.interval.ms': '250',
  'log.cleaner.dedupe.buffer.size': '8388608',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'background.threads': '2',
});

const javaArguments = (binary: KafkaBinary): string[] => [
  '-Xms128m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  // The first compiler only: a developer's Kafka lives for minutes, and the optimizing one would take the cores for
  // longer than it saves (3.3 s of processor time for a start instead of 5.7 s).
  '-XX:TieredStopAtLevel=1',
  // Keeps the JVM from writing its statistics into the system's temporary folder.
  '-XX:-UsePerfData',
  `-Dlog4j2.configurationFile=${pathToFileURL(join(recipe, 'log4j2.xml'))}`,
  '-cp',
  join(binary.libraries, '*'),
];

export interface PrepareKafkaOptions {
  /** Holds server.properties, the cluster's id and the folder `data`. Data that are there are taken up again. */
  dir: string;
  port: number;
  /** Where broker and controller talk to each other; may differ from start to start. Left out: a free one. */
  controllerPort?: number;
  /** Lines of server.properties; they replace ours. */
  config?: Record<string, string>;
}

const clusterIdOf = async (dir: string): Promise<string> => {
  const file = join(dir, 'cluster-id');
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim();
  // A leading dash would be read as an option.
  const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  await writeFile(`${file}.partial`, `${id}\n`);
  await rename(`${file}.partial`, file);
  return id;
};

/** Writes server.properties and formats the data folder if it is new (a second of Java); starts nothing. */
export const prepareKafka = async (binary: KafkaBinary, options: PrepareKafkaOptions): Promise<KafkaServer> => {
  await mkdir(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const { port } = options;
  const clusterId = await clusterIdOf(dir);
  const file = join(dir, 'server.properties');
  const dataDir = join(dir, 'data');
  const settings = configuration(dataDir, port, options.controllerPort ?? (await freePort()));
  // Properties files read a backslash as an escape.
  const lines = Object.entries({ ...settings, ...options.config }).map(
    ([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`,
  );
  await writeFile(file, `${lines.join('\n')}\n`);
  const env = { PATH: '/usr/bin:/bin' };
  if (!existsSync(join(dataDir, 'meta.properties'))) {
    const tool = ['kafka.tools.StorageTool', 'format', '--config', file, '--cluster-id', clusterId];
    const formatted = await runCommand(binary.java, [...javaArguments(binary), ...tool, '--ignore-formatted'], {
      env,
      cwd: dir,
      timeoutMs: KAFKA_FORMAT_TIMEOUT_MS,
    });
    if (formatted.code !== 0) {
      throw setupError(`Kafka's data folder could not be formatted: ${(formatted.stderr || formatted.stdout).trim()}`);
    }
  }
  return {
    brokers: [`127.0.0.1:${port}`],
    port,
    clusterId,
    launch: {
      name: 'kafka',
      command: binary.java,
      args: [...javaArguments(binary), 'kafka.Kafka', file],
      env,
      cwd: dir,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: KAFKA_STOP_TIMEOUT_MS,
    },
  };
};

/** The cluster's id as the brokers tell it, and how many brokers there are. One attempt. */
export const describeKafka = async (brokers: string[]): Promise<{ clusterId: string; brokers: number }> => {
  const kafka = createClient({
    brokers,
    clientId: 'seckill-probe',
    log: pino({ level: 'silent' }),
    requestTimeoutMs: PROBE_TIMEOUT_MS,
    retriesMax: 0,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    return { clusterId: cluster.clusterId, brokers: cluster.brokers.length };
  } finally {
    await admin.disconnect();
  }
};

const probe = async (server: KafkaServer): Promise<Probe> => {
  const found = await describeKafka(server.brokers);
  if (found.clusterId !== server.clusterId) return { status: 'foreign', who: `Kafka cluster ${found.clusterId}` };
  // Until its broker is registered a node answers with an empty list, and topics cannot be made.
  return found.brokers > 0 ? { status: 'ready' } : { status: 'waiting', why: 'its broker is not registered yet' };
};

/** Resolves when the broker answers with our cluster's id, which proves that it is ours. */
export const kafkaReady = (server: KafkaServer, options: ReadyOptions): Promise<void> =>
  waitUntilReady('kafka', () => probe(server), POLL_INTERVAL_MS, options);

export interface OwnKafka extends OwnServer {
  readonly brokers: string[];
  readonly port: number;
  readonly clusterId: string;
}

/** Find, prepare, launch, wait: a Kafka of this process. */
export const startKafka = async (options: ServerOptions, start: StartOptions = {}): Promise<OwnKafka> => {
  const kind = {
    name: 'kafka',
    find: findKafka,
    prepare: prepareKafka,
    ready: kafkaReady,
    readyTimeoutMs: KAFKA_READY_TIMEOUT_MS,
  };
  const { own, server } = await startServer(kind, options, start);
  return { ...own, brokers: server.brokers, port: server.port, clusterId: server.clusterId };
};
