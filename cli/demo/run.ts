import { setTimeout as pause } from 'node:timers/promises';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import { LOAD_RETRIES_DEFAULT } from '../load/limits.ts';
import type { LoadResult } from '../load/result.ts';
import { prepareLoad } from '../load/run.ts';
import type { Display } from '../progress.ts';
import { judgeSale } from '../report/judge-sale.ts';
import { type Report, writeReport } from '../report/report.ts';
import { readSale, type Sale } from '../sale.ts';
import { untilAborted } from '../signals.ts';
import { requireTokenKeys } from '../state.ts';
import { admit } from '../tokens.ts';
import { type Release, startRelease } from '../up/release.ts';
import type { FindServers } from '../up/release-options.ts';
import { type DemoFolder, takeDemoFolder } from './folder.ts';
import {
  ARMED_MAX_MS,
  DEMO_CONNECTIONS,
  EDGE_KNOWS_MAX_MS,
  OPENING_LEAD_MS,
  OPENING_LEAD_PER_POD_MS,
  SETTLED_MAX_MS,
  WATCH_EVERY_MS,
  WINDOW_SPARE_MS,
} from './limits.ts';
import { DEMO_EVENT, type DemoSale, writeManifest } from './manifest.ts';
import { numbersInPrometheus } from './prometheus.ts';
import { startSampling } from './samples.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { isTrue, type Watch, watchEvent } from './watch.ts';

export interface DemoOptions {
  buyers: number;
  units: number;
  pods: number;
  rate: number;
  seed: number;
  out: string;
  keep: boolean;
}

export interface DemoHooks {
  display: Display;
  /** Where servers come from. */
  servers: FindServers;
  signal: AbortSignal;
  /** Called with the report, before the platform stops. */
  onReport(report: Report, files: { report: string; page: string }): void;
}

/** A whole sale, from its manifest to the settlement; then the platform stops, or waits for Ctrl-C with `keep`. */
export async function runDemo(options: DemoOptions, hooks: DemoHooks): Promise<Report> {
  const { display, servers, signal } = hooks;
  const timeline = createTimeline((what) => display.line(`• ${what}`));
  const folder = await takeDemoFolder(options.out);
  const release = await startRelease({
    stateDir: folder.state,
    manifests: [],
    operators: 1,
    relays: 1,
    orders: 1,
    servers,
    prometheus: true,
    log: (line) => display.line(`  ${line}`),
    signal,
  });
  try {
    timeline.note('the platform runs');
    const report = await playSale(options, { ...hooks, folder, release, timeline });
    writeReport(folder.report, report);
    const { writePage } = await loadPage();
    writePage(folder.page, report);
    hooks.onReport(report, folder);
    if (options.keep) {
      const { sale, prometheus } = release.endpoints();
      display.line(`The platform goes on: ${sale} (state in ${folder.state}). Ctrl-C ends it.`);
      if (prometheus !== undefined) display.line(`Prometheus: ${prometheus}`);
      await untilAborted(signal);
    }
    return report;
  } finally {
    display.line('Stopping the platform …');
    await release.stop();
  }
}

/** The library of charts takes longer to load than all else that the command line needs, so not before it is used. */
const loadPage = () => import('../report/page.ts');

interface Stage extends DemoHooks {
  folder: DemoFolder;
  release: Release;
  timeline: Timeline;
}

async function playSale(options: DemoOptions, stage: Stage): Promise<Report> {
  const { folder, release, timeline, signal } = stage;
  const startMs = Date.now() + OPENING_LEAD_MS + options.pods * OPENING_LEAD_PER_POD_MS;
  const arrivalsMs = (options.buyers * 1_000) / options.rate;
  const { units, pods } = options;
  const sale: DemoSale = { units, pods, startMs, endMs: startMs + arrivalsMs + WINDOW_SPARE_MS, closed: false };
  writeManifest(folder.manifest, sale);
  release.applyManifest(folder.manifest);
  timeline.note(`the manifest of ${eventKeyOf(DEMO_EVENT)} is applied; the sale opens at ${isoTime(startMs)}`);

  const onPhase = ({ phase, reason }: SeckillEventStatus): void => timeline.note(`phase ${phase} (${reason})`);
  const watch = watchEvent({ stateDir: folder.state, event: DEMO_EVENT, onPhase, signal });
  const sampling = await startSampling(release.endpoints(), DEMO_EVENT);
  try {
    await watch.until('armed', (status) => isTrue(status, 'Armed'), ARMED_MAX_MS);
    const { load, startedAtMs } = await playBuyers(options, stage, watch, startMs);
    signal.throwIfAborted();
    writeManifest(folder.manifest, { ...sale, closed: true });
    release.applyManifest(folder.manifest);
    timeline.note('every buyer has his answer; the manifest says closed: true');
    const end = await watch.reach('settled', ({ phase }) => phase === 'Settled', SETTLED_MAX_MS);
    // Judged all the same: what is missing in the books says more than that it took too long.
    if ('late' in end) timeline.note(end.late);
    const endpoints = release.endpoints();
    const { prometheus } = endpoints;
    const key = eventKeyOf(DEMO_EVENT);
    const [numbers] = await Promise.all([
      prometheus === undefined ? undefined : numbersInPrometheus(prometheus, key, Date.now()),
      // Loaded while Prometheus is waited for.
      loadPage(),
    ]);
    return await judgeSale({
      endpoints,
      numbersInPrometheus: numbers,
      event: DEMO_EVENT,
      options: { ...options, unitsPerAttempt: 1 },
      settled: 'status' in end,
      load,
      startedAtMs,
      samples: await sampling.stop(),
      timeline: timeline.moments(),
    });
  } finally {
    await Promise.all([watch.stop(), sampling.stop()]);
  }
}

async function playBuyers(
  options: DemoOptions,
  stage: Stage,
  watch: Watch,
  startMs: number,
): Promise<{ load: LoadResult; startedAtMs: number }> {
  const { folder, release, display, timeline, signal } = stage;
  const { sale: url } = release.endpoints();
  const { buyers: count, seed, pods, rate } = options;
  await watch.until('served by its pods', (status) => status.pods.ready >= pods, ARMED_MAX_MS);
  const known = await saleThroughEdge(url, signal);
  const buyers = admit(requireTokenKeys(folder.state), known, { count, nowMs: Date.now(), prefix: `demo-${seed}` });
  const { result, startedAtMs } = await display.bar('buyers answered', count, async (update) => {
    const load = await prepareLoad(
      {
        url,
        ...DEMO_EVENT,
        units: 1,
        buyers,
        arrivals: { kind: 'rate', perSecond: rate },
        retries: LOAD_RETRIES_DEFAULT,
        connections: DEMO_CONNECTIONS,
        workers: 1,
        seed,
      },
      { signal, onProgress: ({ answered, held }) => update(answered, `${held} won`) },
    );
    const at = Math.max(startMs, Date.now());
    return { result: await load.play(at), startedAtMs: at };
  });
  timeline.note('the first buyer comes', startedAtMs);
  timeline.note('the last buyer has his answer', startedAtMs + Math.round(result.elapsedMs));
  return { load: result, startedAtMs };
}

/** Ready pods are in the routes of the edge, and know of the event, within a second. */
async function saleThroughEdge(url: string, signal: AbortSignal): Promise<Sale> {
  const deadlineMs = Date.now() + EDGE_KNOWS_MAX_MS;
  for (;;) {
    try {
      return await readSale(url, DEMO_EVENT);
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
    }
    await pause(WATCH_EVERY_MS, undefined, { signal });
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}
