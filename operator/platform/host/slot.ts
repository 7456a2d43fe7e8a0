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
  RESTART_BACKOFF_FIRST_MS,
  RESTART_BACKOFF_MAX_MS,
  RESTART_FORGIVEN_AFTER_MS,
  ROUTES_SETTLE_MS,
  START_CLAIM_MAX_MS,
  STOP_OF_ADOPTED_MS,
} from './limits.ts';
import { findByEnvironment, isAlive, killGroup, signalProcess } from './proc.ts';
import type { ProcessRecord } from './process-record.ts';

/** A process that should run. `instance` names its slot in the table, its log file and its metrics. */
export interface ProcessSpec {
  instance: string;
  role: string;
  /** Specs of one group are wanted, observed and stopped together. */
  group: string;
  /** The event that a pod serves. */
  serves?: string;
  /** Asked before each start. */
  port(): Promise<number>;
  launch(port: number): Promise<Launch> | Launch;
  url(port: number): string;
  ready(port: number): Promise<boolean>;
  /** How often it is asked once it is ready; PROBE_READY_INTERVAL_MS when absent. Some answers are dear. */
  readyIntervalMs?: number;
}

export interface SlotOptions {
  logs: string;
  log: Log;
  clock: Clock;
  /** What the table says of this slot now. */
  record(): ProcessRecord | undefined;
  /** Compare-and-set of the slot. False: somebody else changed it, and it is looked at anew. */
  save(record: ProcessRecord): Promise<boolean>;
}

/** What only this process knows of a slot. */
interface SlotMemory {
  probeAtMs: number;
  misses: number;
  starting: boolean;
  signalled: boolean;
  ended: { nonce: string; how: string } | undefined;
}

/**
 * One slot of the process table. Each look decides one step from what the table says: start, adopt, probe, bury, or
 * carry on a stop. `spec` is what should run in it; `undefined`: nothing.
 */
export function createSlot(options: SlotOptions): (spec: ProcessSpec | undefined) => Promise<void> {
  const { logs, log, clock, save } = options;
  const memory: SlotMemory = { probeAtMs: 0, misses: 0, starting: false, signalled: false, ended: undefined };

  async function start(spec: ProcessSpec, previous: ProcessRecord | undefined): Promise<void> {
    const port = await spec.port();
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
      if (await save({ ...running, identity })) {
        log.info({ instance: spec.instance, pid: identity.pid, port }, 'process started');
      } else killGroup(identity);
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
    const { nonce, startedMs } = record;
    if (memory.starting || clock.nowMs() - startedMs < START_CLAIM_MAX_MS) return;
    const identity = findByEnvironment('SECKILL_NONCE', nonce);
    if (identity === undefined) return bury(record, 'its starter died before it began');
    await save({ ...record, state: 'running', identity, stopTimeoutMs: STOP_OF_ADOPTED_MS });
  }

  async function carryStop(record: ProcessRecord): Promise<void> {
    const { identity, signalAtMs = 0, killAtMs = 0, stopSignal } = record;
    if (identity === undefined || !isAlive(identity)) return bury(record, 'it was stopped', true);
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

  return async (spec) => {
    const record = options.record();
    if (record === undefined || record.state === 'stopped') {
      if (spec !== undefined && clock.nowMs() >= (record?.nextStartMs ?? 0)) await start(spec, record);
      return;
    }
    if (record.state === 'stopping') return carryStop(record);
    if (record.identity === undefined) return settleClaim(record);
    if (!isAlive(record.identity)) {
      const { ended } = memory;
      return bury(record, ended?.nonce === record.nonce ? ended.how : 'it was found dead');
    }
    if (spec !== undefined) return probe(spec, record);
    memory.signalled = false;
    // Nobody is sent to a process that is stopping; only pods behind the edge need the time to leave its routes.
    const signalAtMs = clock.nowMs() + (record.ready && routed(record) ? ROUTES_SETTLE_MS : 0);
    const killAtMs = signalAtMs + record.stopTimeoutMs;
    await save({ ...record, state: 'stopping', ready: false, signalAtMs, killAtMs });
  };
}

function routed({ role }: ProcessRecord): boolean {
  return role === 'seckill' || role === 'order';
}
