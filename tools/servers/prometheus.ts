import { realpathSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { findProgram, isExecutable, runCommand } from './command.ts';
import { type DebianSet, debianParts } from './debian.ts';
import { setupError } from './errors.ts';
import type { LaunchSpec } from './launch.ts';
import { PROBE_TIMEOUT_MS, PROMETHEUS_READY_TIMEOUT_MS, PROMETHEUS_STOP_TIMEOUT_MS } from './limits.ts';
import type { ServerOptions } from './options.ts';
import { type OwnServer, type StartOptions, startServer } from './own-server.ts';
import { type Probe, type ReadyOptions, waitUntilReady } from './ready.ts';

const POLL_INTERVAL_MS = 50;

/** Apart from the servers: a sale can do without it, and where it cannot be had nothing else is kept from starting. */
const prometheusSet: DebianSet = {
  label: 'prometheus',
  what: 'Prometheus',
  size: '45 MB',
  packages: ['prometheus'],
  libraries: [],
  programs: ['usr/bin/prometheus', 'usr/bin/promtool'],
  instead: 'install Prometheus 2.40 or later with promtool, so that both are on PATH.',
};

export interface PrometheusBinary {
  path: string;
  promtool: string;
  version: string;
  from: 'named' | 'path' | 'cache';
  env: Record<string, string>;
}

const versionOf = async (path: string): Promise<string> => {
  const { stdout, stderr } = await runCommand(path, ['--version']);
  return /version (\d[\d.]*)/.exec(stdout + stderr)?.[1] ?? '';
};

/** Where prometheus and its promtool are: SECKILL_PROMETHEUS, PATH, or the cache, which is filled when it is empty. */
export const findPrometheus = async (options: ServerOptions): Promise<PrometheusBinary> => {
  const { prometheusBinary: named, searchPath } = options;
  if (named !== undefined) {
    const version = isExecutable(named) ? await versionOf(named) : '';
    const promtool = findProgram('promtool', [dirname(named), ...searchPath]);
    if (version !== '' && promtool !== undefined) return { path: named, promtool, version, from: 'named', env: {} };
    throw setupError(`SECKILL_PROMETHEUS names ${named}, which is no Prometheus with a promtool beside it.`);
  }
  const [path, promtool] = ['prometheus', 'promtool'].map((name) => findProgram(name, searchPath));
  if (path !== undefined && promtool !== undefined) {
    return { path, promtool, version: await versionOf(path), from: 'path', env: {} };
  }
  const { report, cacheFolder } = options;
  const debian = await debianParts({ cacheFolder: cacheFolder(), searchPath, report }, prometheusSet);
  return {
    path: debian.program('usr/bin/prometheus'),
    promtool: debian.program('usr/bin/promtool'),
    version: debian.versionOf('prometheus'),
    from: 'cache',
    env: debian.env,
  };
};

export interface PrometheusServer {
  url: string;
  port: number;
  dir: string;
  launch: LaunchSpec;
}

export interface PreparePrometheusOptions {
  /** Holds prometheus.yml, the data and the log. Made if absent; data that are there are taken up again. */
  dir: string;
  port: number;
  /** Files of targets as file_sd reads them; a `*` in the last part of the path stands for any. */
  targetFiles?: readonly string[];
  /** Files of rules, by the same pattern. */
  ruleFiles?: readonly string[];
  scrapeIntervalSeconds?: number;
}

const SCRAPE_INTERVAL_SECONDS = 2;
const RULES_INTERVAL_SECONDS = 5;
/** How soon a target that came or went is seen where the kernel does not tell of it. */
const TARGETS_REFRESH_SECONDS = 5;

const configuration = (options: PreparePrometheusOptions): object => {
  const { targetFiles = [], ruleFiles = [], scrapeIntervalSeconds = SCRAPE_INTERVAL_SECONDS } = options;
  return {
    global: {
      scrape_interval: `${scrapeIntervalSeconds}s`,
      scrape_timeout: `${scrapeIntervalSeconds}s`,
      evaluation_interval: `${RULES_INTERVAL_SECONDS}s`,
    },
    rule_files: ruleFiles,
    scrape_configs: [
      {
        job_name: 'seckill',
        file_sd_configs: [{ files: targetFiles, refresh_interval: `${TARGETS_REFRESH_SECONDS}s` }],
      },
    ],
  };
};

/** Writes prometheus.yml; starts nothing. */
export const preparePrometheus = async (
  binary: PrometheusBinary,
  options: PreparePrometheusOptions,
): Promise<PrometheusServer> => {
  const { port } = options;
  await mkdir(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const file = join(dir, 'prometheus.yml');
  await writeFile(file, stringify(configuration(options)));
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    dir,
    launch: {
      name: 'prometheus',
      command: binary.path,
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        '--storage.tsdb.retention.time=7d',
        '--storage.tsdb.retention.size=512MB',
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      // It measures a small machine and must not take it.
      env: { PATH: '/usr/bin:/bin', GOMAXPROCS: '1', ...binary.env },
      cwd: dir,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: PROMETHEUS_STOP_TIMEOUT_MS,
    },
  };
};

const ask = async (url: string): Promise<Response> => fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });

const probe = async ({ url, dir }: PrometheusServer): Promise<Probe> => {
  const flags = (await (await ask(`${url}/api/v1/status/flags`)).json()) as { data?: Record<string, string> };
  const folder = flags.data?.['storage.tsdb.path'];
  if (folder !== join(dir, 'data')) return { status: 'foreign', who: `a Prometheus that works in ${folder}` };
  const { ok, status } = await ask(`${url}/-/ready`);
  return ok ? { status: 'ready' } : { status: 'waiting', why: `it answers ${status}` };
};

/** Resolves when it is ready and works in our folder, which proves that it is ours. */
export const prometheusReady = (server: PrometheusServer, options: ReadyOptions): Promise<void> =>
  waitUntilReady('prometheus', () => probe(server), POLL_INTERVAL_MS, options);

export interface OwnPrometheus extends OwnServer {
  readonly url: string;
  readonly port: number;
}

export type StartPrometheusOptions = Pick<StartOptions, 'dir' | 'port'> &
  Pick<PreparePrometheusOptions, 'targetFiles' | 'ruleFiles' | 'scrapeIntervalSeconds'>;

/** Find, prepare, launch, wait: a Prometheus of this process. */
export const startPrometheus = async (
  options: ServerOptions,
  { dir, port, ...settings }: StartPrometheusOptions = {},
): Promise<OwnPrometheus> => {
  const kind = {
    name: 'prometheus',
    find: findPrometheus,
    prepare: (binary: PrometheusBinary, place: { dir: string; port: number }) =>
      preparePrometheus(binary, { ...place, ...settings }),
    ready: prometheusReady,
    readyTimeoutMs: PROMETHEUS_READY_TIMEOUT_MS,
  };
  const place = { ...(dir === undefined ? {} : { dir }), ...(port === undefined ? {} : { port }) };
  const { own, server } = await startServer(kind, options, place);
  return { ...own, url: server.url, port: server.port };
};
