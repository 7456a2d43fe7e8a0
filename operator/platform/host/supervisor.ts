import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import { type Launch, launchDetached } from './launch.ts';
import {
  PROBE_MISSES_MAX,
  PROBE_READY_INTERVAL_MS,
  PROBE_UNREADY_INTERVAL_MS,
  RECORD_REREAD_MS,
  RESTART_BACKOFF_FIRST_MS,
  RESTART_BACKOFF_MAX_MS,
  RESTART_FORGIVEN_AFTER_MS,
  ROUTES_SETTLE_MS,
  START_CLAIM_MAX_MS,
  STOP_POLL_MS,
  SUPERVISOR_TICK_MS,
} from './limits.ts';
import { findByEnvironment, isAlive, killGroup, signalProcess } from './proc.ts';
import { listRecords, type ProcessRecord, recordFolder } from './process-record.ts';
import { readRecord, type Versioned, writeRecord } from './versioned-record.ts';

/** A process that should run. `instance` names its slot in the table, its log file and its metrics. */
export interface ProcessSpec {
  instance: string;
  role: string;
  /** Specs of one group are wanted, observed and stopped together. */
  group: string;
  /** The event that a pod serves. */
  serves?: string;
  /** Asked before each start, with the port of the last one when there was one. */
  port(last: number | undefined): Promise<number>;
  launch(port: number): Promise<Launch> | Launch;
  url(port: number): string;
  ready(port: number): Promise<boolean>;
  /** How often it is asked once it is ready; PROBE_READY_INTERVAL_MS when absent. Some answers are dear. */
  readyIntervalMs?: number;
}

/**
 * Keeps wanted processes running, over any number of lives of its own process. All that is decided is decided from
 * the table: a supervisor that comes after a killed one adopts what it finds. Two supervisors at once start nothing
 * twice, since a slot is claimed by compare-and-set before anything is started in it.
 */
export interface Supervisor {
  /** Replaces what is wanted of a group; no specs: the group's processes are stopped. Groups never named are left alone. */
  want(group: string, specs: readonly ProcessSpec[]): void;
  /** The table as last read. */
  records(): ProcessRecord[];
  /** Ends the supervision; the processes live on. */
  stop(): Promise<void>;
  /** Resolves when the group has no process left, or the supervision has ended. */
  drained(group: string): Promise<void>;
}

export interface SupervisorOptions {
  processes: string;
  logs: string;
  log: Log;
  clock: Clock;
  /** Told after every change of the table that was made or seen here. */
  onChange(records: ProcessRecord[]): void;
}

export function createSupervisor({ processes, logs, log, clock, onChange }: SupervisorOptions): Supervisor {
  const wanted = new Map<string, Map<string, ProcessSpec>>();
  const table = new Map<string, Versioned<ProcessRecord>>();
  const local = new Map<string, SlotMemory>();
  const busy = new Map<string, Promise<void>>();
  let rereadAtMs = 0;
  let rereading: Promise<void> | undefined;
  let stopped = false;

  function memoryOf(instance: string): SlotMemory {
    let memory = local.get(instance);
    if (memory === undefined) {
      memory = { probeAtMs: 0, misses: 0, starting: false, signalled: false, ended: undefined };
      local.set(instance, memory);
    }
    return memory;
  }

  /** Compare-and-set of one slot. False: somebody else changed it; the table has his version then. */
  async function save(value: ProcessRecord): Promise<boolean> {
    const { instance } = value;
    const folder = recordFolder(processes, instance);
    const written = await writeRecord(folder, table.get(instance)?.version ?? 0, value);
    const newest = written ?? (await readRecord<ProcessRecord>(folder));
    if (newest !== undefined) table.set(instance, newest);
    onChange(all());
    return written !== undefined;
  }

  function all(): ProcessRecord[] {
    return [...table.values()].map(({ value }) => value).sort((a, b) => (a.instance < b.instance ? -1 : 1));
  }

  async function reread(): Promise<void> {
    let changed = false;
    for (const record of await listRecords(processes)) {
      const known = table.get(record.value.instance);
      if (known !== undefined && known.version >= record.version) continue;
      table.set(record.value.instance, record);
      changed = true;
    }
    if (changed) onChange(all());
  }

  async function start(spec: ProcessSpec, previous: ProcessRecord | undefined): Promise<void> {
    const memory = memoryOf(spec.instance);
    const port = await spec.port(previous?.port);
    const claim: ProcessRecord = {
      instance: spec.instance,
      role: spec.role,
      group: spec.group,
      ...(spec.serves === undefined ? {} : { serves: spec.serves }),
      state: 'starting',
      ready: false,
      nonce: randomUUID(),
      url: spec.url(port),
      port,
      startedMs: clock.nowMs(),
      deaths: previous?.deaths ?? 0,
      nextStartMs: 0,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 0,
    };
    memory.starting = true;
    try {
      if (!(await save(claim))) return;
      const launch = await spec.launch(port);
      await mkdir(logs, { recursive: true });
      const child = await launchDetached(launch, claim.nonce, join(logs, `${spec.instance}.log`));
      Object.assign(memory, { probeAtMs: 0, misses: 0, signalled: false, ended: undefined });
      void child.ended.then((how) => {
        memory.ended = { nonce: claim.nonce, how };
      });
      const { stopSignal, stopTimeoutMs } = launch;
      const { identity } = child;
      const running: ProcessRecord = { ...claim, state: 'running', stopSignal, stopTimeoutMs };
      if (identity === undefined) return await bury(running, 'it ended at once');
      if (!(await save({ ...running, identity }))) killGroup(identity);
      log.info({ instance: spec.instance, pid: identity.pid, port }, 'process started');
    } catch (error) {
      log.error({ err: error, instance: spec.instance }, 'process could not be started');
      await bury(claim, error instanceof Error ? error.message : 'it could not be started');
    } finally {
      memory.starting = false;
    }
  }

  /** Notes a death, and when the next start is due. */
  async function bury(record: ProcessRecord, how: string, expected = false): Promise<void> {
    if (record.identity !== undefined) killGroup(record.identity);
    const nowMs = clock.nowMs();
    const longLived = nowMs - record.startedMs >= RESTART_FORGIVEN_AFTER_MS;
    const deaths = expected ? 0 : longLived ? 1 : record.deaths + 1;
    const waitMs = expected ? 0 : Math.min(RESTART_BACKOFF_FIRST_MS * 2 ** (deaths - 1), RESTART_BACKOFF_MAX_MS);
    const { identity: _gone, signalAtMs: _signal, killAtMs: _kill, ...rest } = record;
    await save({ ...rest, state: 'stopped', ready: false, deaths, nextStartMs: nowMs + waitMs, lastEnd: how });
    if (!expected) log.warn({ instance: record.instance, how, deaths, waitMs }, 'process died');
  }

  async function probe(spec: ProcessSpec, record: ProcessRecord): Promise<void> {
    const memory = memoryOf(spec.instance);
    const nowMs = clock.nowMs();
    if (nowMs < memory.probeAtMs) return;
    const answered = await spec.ready(record.port).catch(() => false);
    memory.misses = answered ? 0 : memory.misses + 1;
    const ready = answered || (record.ready && memory.misses < PROBE_MISSES_MAX);
    const calmMs = spec.readyIntervalMs ?? PROBE_READY_INTERVAL_MS;
    memory.probeAtMs = clock.nowMs() + (answered ? calmMs : PROBE_UNREADY_INTERVAL_MS);
    if (ready !== record.ready) await save({ ...record, ready });
  }

  /** A record that names no process: its starter is at it, or died at it, perhaps after the process had begun. */
  async function settleClaim(record: ProcessRecord): Promise<void> {
    const { nonce, startedMs, instance } = record;
    if (memoryOf(instance).starting || clock.nowMs() - startedMs < START_CLAIM_MAX_MS) return;
    const identity = findByEnvironment('SECKILL_NONCE', nonce);
    if (identity === undefined) return bury(record, 'its starter died before it began');
    await save({ ...record, state: 'running', identity, stopTimeoutMs: STOP_OF_ADOPTED_MS });
  }

  async function carryStop(record: ProcessRecord): Promise<void> {
    const { identity, signalAtMs = 0, killAtMs = 0, stopSignal } = record;
    if (identity === undefined || !isAlive(identity)) return bury(record, 'it was stopped', true);
    const memory = memoryOf(record.instance);
    const nowMs = clock.nowMs();
    if (nowMs >= killAtMs) {
      log.warn({ instance: record.instance }, 'process did not stop in time and is killed');
      killGroup(identity);
    } else if (nowMs >= signalAtMs && !memory.signalled) {
      memory.signalled = true;
      signalProcess(identity, stopSignal);
      // A paused process would take the signal only when it goes on.
      signalProcess(identity, 'SIGCONT');
    }
  }

  async function tickSlot(instance: string, spec: ProcessSpec | undefined): Promise<void> {
    const record = table.get(instance)?.value;
    if (record === undefined || record.state === 'stopped') {
      if (spec !== undefined && clock.nowMs() >= (record?.nextStartMs ?? 0)) await start(spec, record);
      return;
    }
    if (record.state === 'stopping') return carryStop(record);
    if (record.identity === undefined) return settleClaim(record);
    if (!isAlive(record.identity)) {
      const { ended } = memoryOf(instance);
      return bury(record, ended?.nonce === record.nonce ? ended.how : 'it was found dead');
    }
    if (spec !== undefined) return probe(spec, record);
    memoryOf(instance).signalled = false;
    // Nobody is sent to a process that is stopping; only pods behind the edge need the time to leave its routes.
    const signalAtMs = clock.nowMs() + (record.ready && routed(record) ? ROUTES_SETTLE_MS : 0);
    const killAtMs = signalAtMs + record.stopTimeoutMs;
    await save({ ...record, state: 'stopping', ready: false, signalAtMs, killAtMs });
  }

  function tick(): void {
    if (stopped) return;
    const nowMs = clock.nowMs();
    if (nowMs >= rereadAtMs && rereading === undefined) {
      rereading = reread()
        .catch((error: unknown) => log.error({ err: error }, 'process table could not be read'))
        .finally(() => {
          rereadAtMs = clock.nowMs() + RECORD_REREAD_MS;
          rereading = undefined;
        });
    }
    // Before the first reading nothing is known, and everything would be started a second time.
    if (rereadAtMs === 0) return;
    for (const [group, specs] of wanted) {
      for (const { value } of table.values()) if (value.group === group) run(value.instance, specs.get(value.instance));
      for (const spec of specs.values()) run(spec.instance, spec);
    }
  }

  function run(instance: string, spec: ProcessSpec | undefined): void {
    if (busy.has(instance)) return;
    const work = tickSlot(instance, spec)
      .catch((error: unknown) => log.error({ err: error, instance }, 'process could not be looked after'))
      .finally(() => busy.delete(instance));
    busy.set(instance, work);
  }

  const timer = setInterval(tick, SUPERVISOR_TICK_MS);
  tick();

  return {
    want(group, specs) {
      wanted.set(group, new Map(specs.map((spec) => [spec.instance, spec])));
      tick();
    },
    records: all,
    async stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      await rereading;
      await Promise.all(busy.values());
    },
    async drained(group) {
      const left = (): boolean => all().some((record) => record.group === group && record.state !== 'stopped');
      while (!stopped && (rereadAtMs === 0 || left()))
        await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
    },
  };
}

/** What only this process knows of a slot. */
interface SlotMemory {
  probeAtMs: number;
  misses: number;
  starting: boolean;
  signalled: boolean;
  ended: { nonce: string; how: string } | undefined;
}

/** An adopted process without a full record gets this long to stop. */
const STOP_OF_ADOPTED_MS = 10_000;

function routed({ role }: ProcessRecord): boolean {
  return role === 'seckill' || role === 'order';
}
