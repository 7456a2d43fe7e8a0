import { mkdtempSync, realpathSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, isExecutable, runCommand } from './command.ts';
import { setupError } from './errors.ts';
import type { LaunchSpec } from './launch.ts';
import { NGINX_READY_TIMEOUT_MS, NGINX_STOP_TIMEOUT_MS, PROBE_TIMEOUT_MS } from './limits.ts';
import type { ServerOptions } from './options.ts';
import { type OwnServer, type StartOptions, startServer } from './own-server.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from './ready.ts';

const POLL_INTERVAL_MS = 20;
const LUA_MODULES = ['ndk_http_module.so', 'ngx_http_lua_module.so'] as const;

export interface NginxBinary {
  path: string;
  version: string;
  from: 'named' | 'path' | 'cache';
  env: Record<string, string>;
  /** Holds ndk_http_module.so and ngx_http_lua_module.so, to be named by `load_module` in that order. Absent: Lua is built in (OpenResty). */
  modulesDir?: string;
  /** For `lua_package_path`: finds resty.core. */
  luaPackagePath: string;
  /** Started by root, nginx would run its workers as `nobody`, who cannot read our folders: say `user root;`. */
  needsUserDirective: boolean;
}

type Candidate = Omit<NginxBinary, 'version' | 'needsUserDirective'>;

const runsAsRoot = (): boolean => process.getuid?.() === 0;

/** The directives that a configuration must begin with so that this nginx knows Lua. One line each. */
export const mainDirectives = (nginx: Pick<NginxBinary, 'modulesDir' | 'needsUserDirective'>): string[] => {
  const { modulesDir } = nginx;
  const modules = modulesDir === undefined ? [] : LUA_MODULES.map((name) => `load_module "${join(modulesDir, name)}";`);
  return [...modules, ...(nginx.needsUserDirective ? ['user root;'] : [])];
};

/** Where nginx puts bodies and answers that do not fit its buffers: its own defaults belong to the system. */
export const temporaryPaths = (dir: string): string[] =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path "${join(dir, kind)}";`);

const trialConfiguration = (candidate: Candidate, dir: string): string => `
${mainDirectives({ ...candidate, needsUserDirective: runsAsRoot() }).join('\n')}
pid "${join(dir, 'nginx.pid')}";
events {}
http {
  access_log off;
  ${temporaryPaths(dir).join('\n  ')}
  lua_package_path "${candidate.luaPackagePath}";
  init_by_lua_block { require "ngx.balancer" }
}
`;

/** Its version, if it starts with Lua and the balancer; found out by letting it read such a configuration. */
const tryLua = async (candidate: Candidate): Promise<NginxBinary | undefined> => {
  const dir = mkdtempSync(join(tmpdir(), 'seckill-nginx-'));
  try {
    const file = join(dir, 'nginx.conf');
    await writeFile(file, trialConfiguration(candidate, dir));
    const env = { PATH: '/usr/bin:/bin', ...candidate.env };
    const log = join(dir, 'error.log');
    const trial = await runCommand(candidate.path, ['-t', '-p', dir, '-e', log, '-c', file], { env });
    if (trial.code !== 0) return undefined;
    const { stderr } = await runCommand(candidate.path, ['-v'], { env });
    const version = /\/(\d[\d.]*)/.exec(stderr)?.[1];
    if (version === undefined) return undefined;
    return { ...candidate, version, needsUserDirective: runsAsRoot() };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

/** An nginx that somebody installed: with Lua built in, or with the modules in its own modules folder. */
const tryInstalled = async (path: string, from: 'named' | 'path'): Promise<NginxBinary | undefined> => {
  const { stderr } = await runCommand(path, ['-V']);
  const modulesDir =
    /--modules-path=(\S+)/.exec(stderr)?.[1] ?? join(/--prefix=(\S+)/.exec(stderr)?.[1] ?? '', 'modules');
  const luaPackagePath = '/usr/share/lua/5.1/?.lua;;';
  const candidate = { path, from, env: {}, luaPackagePath };
  return (await tryLua({ ...candidate, modulesDir })) ?? (await tryLua(candidate));
};

/** Where nginx with Lua is: SECKILL_NGINX, PATH (openresty, then nginx; one without Lua is passed over), or the cache. */
export const findNginx = async (options: ServerOptions): Promise<NginxBinary> => {
  const { nginxBinary: named } = options;
  if (named !== undefined) {
    const found = isExecutable(named) ? await tryInstalled(named, 'named') : undefined;
    if (found !== undefined) return found;
    throw setupError(`SECKILL_NGINX names ${named}, which is no nginx with lua-nginx-module and lua-resty-core.`);
  }
  for (const name of ['openresty', 'nginx']) {
    const path = findProgram(name, options.searchPath);
    const found = path === undefined ? undefined : await tryInstalled(path, 'path');
    if (found !== undefined) return found;
  }
  const debian = await options.debian();
  return {
    path: debian.program('usr/sbin/nginx'),
    version: debian.versionOf('nginx'),
    from: 'cache',
    env: debian.env,
    modulesDir: join(debian.root, 'usr/lib/nginx/modules'),
    luaPackagePath: `${join(debian.root, 'usr/share/lua/5.1/?.lua')};;`,
    needsUserDirective: runsAsRoot(),
  };
};

export interface NginxServer {
  url: string;
  port: number;
  pidFile: string;
  launch: LaunchSpec;
}

export interface PrepareNginxOptions {
  /** Holds nginx.conf, its pid file and its log. Made if absent. */
  dir: string;
  port: number;
  /**
   * The whole nginx.conf. It must say `daemon off;`, `pid "DIR/nginx.pid";` and the `mainDirectives`, and listen on
   * the port.
   */
  config: string;
}

/** Writes nginx.conf; starts nothing. */
export const prepareNginx = async (binary: NginxBinary, options: PrepareNginxOptions): Promise<NginxServer> => {
  await mkdir(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const file = join(dir, 'nginx.conf');
  await writeFile(file, options.config);
  return {
    url: `http://127.0.0.1:${options.port}`,
    port: options.port,
    pidFile: join(dir, 'nginx.pid'),
    launch: {
      name: 'nginx',
      command: binary.path,
      args: ['-p', dir, '-e', join(dir, 'error.log'), '-c', file],
      env: { PATH: '/usr/bin:/bin', ...binary.env },
      cwd: dir,
      stopSignal: 'SIGQUIT',
      stopTimeoutMs: NGINX_STOP_TIMEOUT_MS,
    },
  };
};

const accepts = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: PROBE_TIMEOUT_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error('it did not accept a connection')));
    socket.once('error', reject);
  });

const isRunning = (pid: number): boolean => {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
};

const probe = async (server: NginxServer): Promise<Probe> => {
  const pid = Number(await readFile(server.pidFile, 'utf8').catch(() => '0'));
  if (!isRunning(pid)) return { status: 'waiting', why: 'its master is not running yet' };
  await accepts(server.port);
  return { status: 'ready' };
};

/**
 * Resolves when the port accepts connections and the master of our folder lives. nginx writes its pid file only after
 * it has bound its ports, and ends when somebody else has them, so the two together prove that it is ours.
 */
export const nginxReady = (server: NginxServer, options: ReadyOptions): Promise<void> =>
  waitUntilReady('nginx', () => probe(server), POLL_INTERVAL_MS, options);

export interface OwnNginx extends OwnServer {
  readonly url: string;
  readonly port: number;
}

export interface StartNginxOptions extends Pick<StartOptions, 'dir' | 'port'> {
  /** Makes the nginx.conf, see PrepareNginxOptions. */
  config: (nginx: NginxBinary, place: { dir: string; port: number }) => string;
}

/** Find, prepare, launch, wait: an nginx of this process. */
export const startNginx = async (options: ServerOptions, start: StartNginxOptions): Promise<OwnNginx> => {
  const { config, ...place } = start;
  const kind = {
    name: 'nginx',
    find: findNginx,
    prepare: (binary: NginxBinary, { dir, port }: { dir: string; port: number }) =>
      prepareNginx(binary, { dir, port, config: config(binary, { dir, port }) }),
    ready: nginxReady,
    readyTimeoutMs: NGINX_READY_TIMEOUT_MS,
  };
  const { own, server } = await startServer(kind, options, place);
  return { ...own, url: server.url, port: server.port };
};
