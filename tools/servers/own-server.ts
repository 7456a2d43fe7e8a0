import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, setupError } from './errors.ts';
import { type LaunchSpec, launch, type RunningServer } from './launch.ts';
import { LOG_TAIL_BYTES } from './limits.ts';
import type { ServerOptions } from './options.ts';
import { freePort } from './ports.ts';
import type { ReadyOptions } from './ready.ts';

/** A server of this process: tests and benchmarks start it, break it, and start it again on the same data and port. */
export interface OwnServer {
  /** The data, the configuration and the log. */
  readonly dir: string;
  readonly logFile: string;
  /** The process id; throws while it is not running. */
  pid(): number;
  /** Starts it again after `stop` or a deadly `kill`; resolves when it answers and is ours. */
  start(): Promise<void>;
  /** Stops it in its own way. Its data stay: `start` brings it back. */
  stop(): Promise<void>;
  /** SIGKILL, SIGTERM, SIGINT and SIGQUIT: resolves when it is gone. SIGSTOP, SIGCONT and others: at once. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it and removes its folder, if the folder was made for it. */
  close(): Promise<void>;
}

interface ServerFolder {
  dir: string;
  /** Made by us, so removed by us. */
  temporary: boolean;
}

/** The folder the caller named (made if absent), or a new one under the system's temporary folder. */
const serverFolder = (name: string, dir: string | undefined): ServerFolder => {
  if (dir === undefined) {
    return { dir: realpathSync(mkdtempSync(join(tmpdir(), `seckill-${name}-`))), temporary: true };
  }
  mkdirSync(dir, { recursive: true });
  return { dir: realpathSync(dir), temporary: false };
};

const deadlySignals: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT'];

const tailOf = (logFile: string): string => {
  try {
    return readFileSync(logFile, 'utf8').slice(-LOG_TAIL_BYTES);
  } catch {
    return '';
  }
};

interface OwnServerOptions {
  spec: LaunchSpec;
  folder: ServerFolder;
  ready: (options: ReadyOptions) => Promise<void>;
  readyTimeoutMs: number;
}

/** Starts the server and waits for it. Rejects with the end of its log when it dies on the way. */
const ownServer = async ({ spec, folder, ready, readyTimeoutMs }: OwnServerOptions): Promise<OwnServer> => {
  const logFile = join(folder.dir, `${spec.name}.log`);
  let running: RunningServer | undefined;
  const removeFolder = () => rmSync(folder.dir, { recursive: true, force: true });
  if (folder.temporary) process.once('exit', removeFolder);

  const stop = async () => {
    await running?.stop();
    running = undefined;
  };
  const start = async () => {
    if (running !== undefined) return;
    const started = await launch(spec, logFile);
    const died = new AbortController();
    void started.exited.then((code) => {
      if (running === started) running = undefined;
      died.abort(setupError(`${spec.name} ended at once (exit code ${code}). Its log ends:\n${tailOf(logFile)}`));
    });
    running = started;
    try {
      await ready({ deadlineMs: Date.now() + readyTimeoutMs, signal: died.signal });
    } catch (error) {
      await started.stop();
      throw setupError(`${messageOf(error)}\n${spec.name} logs to ${logFile}`, error);
    }
  };
  const close = async () => {
    await stop();
    if (!folder.temporary) return;
    process.removeListener('exit', removeFolder);
    await rm(folder.dir, { recursive: true, force: true });
  };

  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    dir: folder.dir,
    logFile,
    pid: () => {
      if (running === undefined) throw setupError(`${spec.name} is not running.`);
      return running.pid;
    },
    start,
    stop,
    kill: async (signal) => {
      if (running === undefined) throw setupError(`${spec.name} is not running.`);
      const { exited } = running;
      running.kill(signal);
      if (!deadlySignals.includes(signal)) return;
      // The handler above, registered first, has cleared `running` when this goes on.
      await exited;
    },
    close,
  };
};

export interface StartOptions {
  /** Left out: a new temporary folder, removed by `close`. Given: kept, and its data taken up. */
  dir?: string;
  /** Left out: a free one. */
  port?: number;
  config?: Record<string, string>;
}

/** What one kind of server gives to be started: see the modules beside this one. */
interface ServerKind<Binary, Server extends { launch: LaunchSpec; port: number }> {
  name: string;
  find(options: ServerOptions): Promise<Binary>;
  prepare(binary: Binary, place: { dir: string; port: number; config?: Record<string, string> }): Promise<Server>;
  ready(server: Server, options: ReadyOptions): Promise<void>;
  readyTimeoutMs: number;
}

/** Find, prepare, launch, wait: a server of this process, with what its kind says of it. */
export const startServer = async <Binary, Server extends { launch: LaunchSpec; port: number }>(
  kind: ServerKind<Binary, Server>,
  options: ServerOptions,
  start: StartOptions,
): Promise<{ own: OwnServer; server: Server }> => {
  const binary = await kind.find(options);
  const folder = serverFolder(kind.name, start.dir);
  const { config } = start;
  const place = {
    dir: folder.dir,
    port: start.port ?? (await freePort()),
    ...(config === undefined ? {} : { config }),
  };
  const server = await kind.prepare(binary, place);
  const own = await ownServer({
    spec: server.launch,
    folder,
    ready: (ready) => kind.ready(server, ready),
    readyTimeoutMs: kind.readyTimeoutMs,
  });
  return { own, server };
};
