import { mkdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ManifestProblem } from '../../operator/api/manifest-text.ts';
import { writeIfChanged } from '../../operator/platform/host/atomic-file.ts';
import { type Endpoints, endpointsOf } from '../../operator/platform/host/endpoints.ts';
import {
  createManifestFiles,
  type ManifestFiles,
  type ManifestReport,
} from '../../operator/platform/host/manifest-files.ts';
import { createObjectStore } from '../../operator/platform/host/object-store.ts';
import { listRecords, type ProcessRecord } from '../../operator/platform/host/process-record.ts';
import { type StateFolder, stateFolder } from '../../operator/platform/host/state-folder.ts';
import { createSupervisor, type Supervisor } from '../../operator/platform/host/supervisor.ts';
import { publishRoutes } from '../../operator/platform/host/workloads.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { START_TIMEOUT_MS } from './limits.ts';
import { takeFolder } from './lock.ts';
import { createUpLog } from './log.ts';
import { askNamedServers } from './named-servers.ts';
import { PROMETHEUS_GROUP, planEdgeTarget, planPrometheus } from './prometheus.ts';
import type { ReleaseOptions } from './release-options.ts';
import {
  EDGE_GROUP,
  type PlannedServer,
  type PlannedServers,
  planEdge,
  planServers,
  SERVERS_GROUP,
  salePort,
} from './servers.ts';
import { startServices } from './start-services.ts';
import { provideTokenKeys } from './token-keys.ts';

export interface Release {
  endpoints(): Endpoints;
  /** Follows one more file or folder of manifests from now on. */
  applyManifest(path: string): void;
  /** Stops everything in order; nothing is left but the state folder. */
  stop(): Promise<void>;
}

/**
 * The whole platform on this machine: servers, relays, order consumers, edge and operators as processes that outlive
 * us. On a folder where they run already they are adopted. Resolves when it can serve; when it cannot, everything that
 * was started is stopped again and the reason is thrown.
 */
export async function startRelease(options: ReleaseOptions): Promise<Release> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const folder = stateFolder(realpathSync(options.stateDir));
  const lock = await takeFolder(folder.up);
  const { log: tell, signal } = options;
  const log = createUpLog(folder);
  const store = createObjectStore(folder.events);
  const failed = new AbortController();
  let servers: PlannedServers | undefined;
  let prometheus: PlannedServer | undefined;
  let timeout: AbortSignal | undefined;
  let sale = '';
  let writing: Promise<unknown> = Promise.resolve();

  const endpoints = (records: readonly ProcessRecord[]): Endpoints =>
    endpointsOf(
      {
        ...(prometheus === undefined ? {} : { prometheus: prometheus.url }),
        ...{
          sale,
          redis: servers?.redis.url ?? '',
          mysql: servers?.mysql.url ?? '',
          kafka: servers?.kafka.brokers ?? [],
        },
      },
      records,
    );
  const publish = (records: ProcessRecord[]): void => {
    if (sale === '') return;
    writing = writing
      .then(async () => {
        await writeIfChanged(folder.endpoints, `${JSON.stringify(endpoints(records), null, 2)}\n`);
        await publishRoutes(folder, records);
      })
      .catch((error: unknown) => log.error({ err: error }, 'endpoints could not be written'));
  };

  let manifests: ManifestFiles | undefined;
  let supervisor: Supervisor | undefined;
  const stop = async (): Promise<void> => {
    await manifests?.stop();
    if (supervisor !== undefined) await stopAll(supervisor, tell);
    await supervisor?.stop();
    await writing;
    await rm(folder.endpoints, { force: true });
    await lock.release();
  };

  try {
    manifests = createManifestFiles({
      ...{ paths: options.manifests, store, clock: systemClock, log },
      onReport: (report) => tellReport(report, tell),
    });
    await readFirst(manifests, options.manifests, tell);
    await provideTokenKeys(folder.tokenKeys);
    const records = (await listRecords(folder.processes)).map(({ value }) => value);
    const port = await salePort(options.port, records);
    const serverOptions = options.servers(tell);
    await askNamedServers(serverOptions);
    const watching = options.prometheus === true ? planPrometheus(serverOptions, folder, records, tell) : undefined;
    servers = await planServers(serverOptions, folder, records);
    sale = `http://127.0.0.1:${port}`;
    await publishRoutes(folder, records);
    const adminPort = await planEdgeTarget(folder, records);
    const edge = await planEdge(serverOptions, folder, { port, adminPort });
    signal.throwIfAborted();

    // What was missing is fetched by now, however long that took on this network.
    timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const guard = AbortSignal.any([signal, timeout, failed.signal]);
    supervisor = createSupervisor({
      ...{ processes: folder.processes, logs: folder.logs, log, clock: systemClock },
      onChange: publish,
    });
    const specs = [servers.redis.spec, servers.mysql.spec, servers.kafka.spec].filter((spec) => spec !== undefined);
    supervisor.want(SERVERS_GROUP, specs);
    supervisor.want(EDGE_GROUP, [edge]);
    await startServices(supervisor, servers, {
      ...{ folder, options, log, signal: guard },
      names: new Set(specs.map(({ instance }) => instance)),
    });
    // Last, and not waited for: it watches the sale, and must not take the time of those who serve it.
    prometheus = await watching;
    if (prometheus?.spec !== undefined) supervisor.want(PROMETHEUS_GROUP, [prometheus.spec]);
    publish(supervisor.records());
  } catch (error) {
    failed.abort();
    const reason = timeout?.aborted === true && !signal.aborted ? lateError(folder, supervisor) : error;
    await stop();
    throw reason;
  }

  const { records } = supervisor;
  return {
    endpoints: () => endpoints(records()),
    applyManifest: (path) => manifests.add(path),
    stop,
  };
}

/** Those who start others first, then those who serve, those who carry on, and the servers last. */
async function stopAll(supervisor: Supervisor, tell: (line: string) => void): Promise<void> {
  const pools = (): string[] => [
    ...new Set(supervisor.records().flatMap(({ group }) => (group.startsWith('pool:') ? [group] : []))),
  ];
  for (const groups of [
    () => ['operator'],
    () => [EDGE_GROUP, ...pools()],
    () => ['relay', 'order'],
    () => [SERVERS_GROUP, PROMETHEUS_GROUP],
  ]) {
    const now = groups();
    for (const group of now) supervisor.want(group, []);
    await Promise.all(now.map((group) => supervisor.drained(group)));
  }
  tell('everything is stopped');
}

/** With manifests that are all wrong there is nothing to start for. */
async function readFirst(files: ManifestFiles, paths: readonly string[], tell: (line: string) => void): Promise<void> {
  const reports = await files.refresh();
  for (const report of reports) tellReport(report, tell);
  if (paths.length === 0) return;
  const applied = reports.flatMap((report) => report.applied);
  const problems = reports.flatMap((report) => report.problems);
  if (applied.length > 0) return;
  const why = problems.length > 0 ? 'no manifest is right' : `there is no manifest in ${paths.join(', ')}`;
  throw new SeckillError('SECKILL_ERR_CONFIG', `Nothing was started: ${why}.`);
}

function tellReport({ file, applied, problems }: ManifestReport, tell: (line: string) => void): void {
  for (const { key, outcome } of applied) {
    if (outcome === 'deleting') tell(`${key}: it is still being deleted; ${file} is applied when it is gone`);
    else tell(`${key}: ${outcome} by ${file}`);
  }
  for (const problem of problems) tell(`${file}: ${placeOf(problem)}${problem.message}`);
}

const placeOf = ({ document }: ManifestProblem): string => (document > 1 ? `document ${document}: ` : '');

function lateError(folder: StateFolder, supervisor: Supervisor | undefined): SeckillError {
  const late = (supervisor?.records() ?? []).filter(({ ready, state }) => !ready && state !== 'stopped');
  const names = late.map(({ instance, lastEnd }) => (lastEnd === undefined ? instance : `${instance} (${lastEnd})`));
  const sentence = `Not ready within ${START_TIMEOUT_MS / 1_000} s: ${names.join(', ') || 'nothing was started'}.`;
  return new SeckillError('SECKILL_ERR_UNAVAILABLE', `${sentence} Their logs are in ${folder.logs}.`);
}
