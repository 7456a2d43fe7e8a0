import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { cachedFolder } from './cache.ts';
import { atLeast, findProgram, isExecutable, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import type { LaunchSpec } from './launch.ts';
import {
  MARIADB_INSTALL_TIMEOUT_MS,
  MARIADB_READY_TIMEOUT_MS,
  MARIADB_STOP_TIMEOUT_MS,
  PROBE_TIMEOUT_MS,
  SOCKET_PATH_MAX_BYTES,
} from './limits.ts';
import type { ServerOptions } from './options.ts';
import { type OwnServer, type StartOptions, startServer } from './own-server.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from './ready.ts';

const LEAST_MARIADB = '10.6';
const LEAST_MYSQL = '8';
const POLL_INTERVAL_MS = 25;
/** Small, so that a new data folder is copied quickly. */
const LOG_FILE_SIZE = '16M';

export interface MariadbBinary {
  path: string;
  version: string;
  /** MySQL's own server does as well; it makes its data folder in another way. */
  product: 'mariadb' | 'mysql';
  from: 'named' | 'path' | 'cache';
  env: Record<string, string>;
  /** The installation: BASE/share has the messages, BASE/bin the scripts. */
  base: string;
  /** Where an empty data folder is kept for copying; throws when there is no cache folder. */
  cacheFolder: () => string;
}

export interface MariadbServer {
  /** Without a database: append `/name`. root without a password, on loopback only. */
  url: string;
  port: number;
  socket: string;
  dataDir: string;
  launch: LaunchSpec;
}

type Version = Pick<MariadbBinary, 'version' | 'product'>;

const versionOf = async (path: string): Promise<Version | undefined> => {
  const { stdout } = await runCommand(path, ['--no-defaults', '--version']);
  const version = /Ver (\d[\d.]*)/.exec(stdout)?.[1];
  if (version === undefined) return undefined;
  const product = stdout.includes('MariaDB') ? 'mariadb' : 'mysql';
  return atLeast(version, product === 'mariadb' ? LEAST_MARIADB : LEAST_MYSQL) ? { version, product } : undefined;
};

/** Where the server is: SECKILL_MYSQL_SERVER, PATH (mariadbd, then mysqld), or the cache. */
export const findMariadb = async (options: ServerOptions): Promise<MariadbBinary> => {
  const { mysqlServer: named, cacheFolder } = options;
  const installed = (path: string, found: Version, from: 'named' | 'path'): MariadbBinary => {
    const base = dirname(dirname(realpathSync(path)));
    return { path, ...found, from, env: {}, base, cacheFolder };
  };
  if (named !== undefined) {
    const found = isExecutable(named) ? await versionOf(named) : undefined;
    if (found !== undefined) return installed(named, found, 'named');
    throw setupError(
      `SECKILL_MYSQL_SERVER names ${named}, which is neither MariaDB ${LEAST_MARIADB} nor MySQL ${LEAST_MYSQL} or later.`,
    );
  }
  for (const name of ['mariadbd', 'mysqld']) {
    const path = findProgram(name, options.searchPath);
    const found = path === undefined ? undefined : await versionOf(path);
    if (path !== undefined && found !== undefined) return installed(path, found, 'path');
  }
  const debian = await options.debian();
  return {
    path: debian.program('usr/sbin/mariadbd'),
    version: debian.versionOf('mariadb-server-core'),
    product: 'mariadb',
    from: 'cache',
    env: debian.env,
    base: join(debian.root, 'usr'),
    cacheFolder,
  };
};

const environment = (binary: MariadbBinary): Record<string, string> => ({ PATH: '/usr/bin:/bin', ...binary.env });

/** The server refuses to run as root unless it is told to. */
const userArguments = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

const installData = async (binary: MariadbBinary, dataDir: string): Promise<void> => {
  const common = [`--basedir=${binary.base}`, `--datadir=${dataDir}`, ...userArguments()];
  const run = (command: string, args: string[]) =>
    runCommand(command, ['--no-defaults', ...common, ...args], {
      env: environment(binary),
      timeoutMs: MARIADB_INSTALL_TIMEOUT_MS,
    });
  const script = findProgram('mariadb-install-db', [join(binary.base, 'bin'), join(binary.base, 'scripts')]);
  if (binary.product === 'mariadb' && script === undefined) {
    throw setupError(`MariaDB's mariadb-install-db is not in ${binary.base}/bin: install the whole server package.`);
  }
  const result =
    script !== undefined && binary.product === 'mariadb'
      ? await run(script, [
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
          `--innodb-log-file-size=${LOG_FILE_SIZE}`,
        ])
      : await run(binary.path, ['--initialize-insecure']);
  if (result.code === 0) return;
  throw setupError(`MariaDB's data folder could not be made: ${(result.stderr || result.stdout).trim()}`);
};

const release = (binary: MariadbBinary): string =>
  `${binary.product}-${binary.version}-${createHash('sha256').update(binary.base).digest('hex').slice(0, 8)}`;

/** Making a data folder takes a second, copying one some milliseconds. The copy is renamed when it is whole. */
const provideData = async (binary: MariadbBinary, dataDir: string): Promise<void> => {
  if (existsSync(dataDir)) return;
  const template = await cachedFolder(binary.cacheFolder(), `${release(binary)}-data`, (folder) =>
    installData(binary, folder),
  );
  const partial = `${dataDir}.partial`;
  await rm(partial, { recursive: true, force: true });
  await cp(template, partial, { recursive: true });
  await rename(partial, dataDir);
};

const socketPath = (dir: string): string => {
  const inside = join(dir, 'mariadb.sock');
  if (Buffer.byteLength(inside) <= SOCKET_PATH_MAX_BYTES) return inside;
  return join(tmpdir(), `seckill-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}.sock`);
};

/** Strict mode, UTC and utf8mb4 whatever the machine's own settings are; small buffers; no binary log. */
const configuration = (binary: MariadbBinary, server: Omit<MariadbServer, 'launch' | 'url'>, dir: string) => ({
  basedir: binary.base,
  datadir: server.dataDir,
  socket: server.socket,
  'pid-file': join(dir, 'mariadb.pid'),
  port: String(server.port),
  'bind-address': '127.0.0.1',
  'sql-mode': 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  'default-time-zone': '+00:00',
  'character-set-server': 'utf8mb4',
  'max-connections': '300',
  'innodb-buffer-pool-size': '64M',
  'performance-schema': 'OFF',
  ...(binary.product === 'mariadb'
    ? {
        'lc-messages-dir': join(binary.base, 'share/mysql'),
        'innodb-log-file-size': LOG_FILE_SIZE,
        'skip-name-resolve': 'ON',
      }
    : { 'disable-log-bin': 'ON', mysqlx: 'OFF' }),
});

export interface PrepareMariadbOptions {
  /** Holds my.cnf and the folder `data`. Made if absent; data that are there are taken up again. */
  dir: string;
  port: number;
  /** Options of the [mysqld] section by name; they replace ours. */
  config?: Record<string, string>;
}

/** Writes my.cnf and makes the data folder if there is none; starts nothing. */
export const prepareMariadb = async (binary: MariadbBinary, options: PrepareMariadbOptions): Promise<MariadbServer> => {
  await mkdir(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const { port } = options;
  const dataDir = join(dir, 'data');
  await provideData(binary, dataDir);
  const socket = socketPath(dir);
  const settings = { ...configuration(binary, { port, socket, dataDir }, dir), ...options.config };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  const file = join(dir, 'my.cnf');
  await writeFile(file, `[mysqld]\n${lines.join('\n')}\n`);
  return {
    url: `mysql://root@127.0.0.1:${port}`,
    port,
    socket,
    dataDir,
    launch: {
      name: 'mariadb',
      command: binary.path,
      args: [`--defaults-file=${file}`, ...userArguments()],
      env: environment(binary),
      cwd: dir,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: MARIADB_STOP_TIMEOUT_MS,
    },
  };
};

const probe = async (server: MariadbServer): Promise<Probe> => {
  const connection = await createConnection({
    host: '127.0.0.1',
    port: server.port,
    user: 'root',
    connectTimeout: PROBE_TIMEOUT_MS,
  }).catch((error: unknown) => {
    // A server that does not let root in without a password is not the one that we prepared.
    if (error instanceof Error && 'code' in error && error.code === 'ER_ACCESS_DENIED_ERROR') return undefined;
    throw error;
  });
  if (connection === undefined) return { status: 'foreign', who: 'it refuses root' };
  try {
    const [rows] = await connection.query({ sql: 'SELECT @@datadir', rowsAsArray: true, timeout: PROBE_TIMEOUT_MS });
    const found = String((rows as unknown[][])[0]?.[0]);
    if (found.replace(/\/$/, '') === server.dataDir) return { status: 'ready' };
    return { status: 'foreign', who: `a server whose data are in ${found}` };
  } finally {
    connection.destroy();
  }
};

/** Resolves when it answers on its port with our data folder, which proves that it is ours. */
export const mariadbReady = (server: MariadbServer, options: ReadyOptions): Promise<void> =>
  waitUntilReady('mariadb', () => probe(server), POLL_INTERVAL_MS, options);

export interface OwnMariadb extends OwnServer {
  readonly url: string;
  readonly port: number;
  readonly socket: string;
}

/** Find, prepare, launch, wait: a MariaDB (or MySQL) of this process. */
export const startMariadb = async (options: ServerOptions, start: StartOptions = {}): Promise<OwnMariadb> => {
  const kind = {
    name: 'mariadb',
    find: findMariadb,
    prepare: prepareMariadb,
    ready: mariadbReady,
    readyTimeoutMs: MARIADB_READY_TIMEOUT_MS,
  };
  const { own, server } = await startServer(kind, options, start);
  return { ...own, url: server.url, port: server.port, socket: server.socket };
};
