import { join } from 'node:path';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import type { EventKey } from '../../api/seckill-event.ts';
import type { DesiredWorkload, ObservedWorkload, Workloads } from '../platform.ts';
import { writeIfChanged } from './atomic-file.ts';
import { freePort } from './free-port.ts';
import { asksReady } from './probe.ts';
import { listRecords, type ProcessRecord } from './process-record.ts';
import { routesOf } from './routes.ts';
import type { ProcessSpec } from './slot.ts';
import type { StateFolder } from './state-folder.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { targetsOf } from './targets.ts';

/** How a pod of a role is started here; its port and name are added. */
export interface PodTemplate {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
}

export interface HostWorkloadsOptions {
  folder: StateFolder;
  pod: PodTemplate;
  log: Log;
  clock: Clock;
}

/**
 * Pools of pods as processes of this machine. A pool has as many as its floor says: nothing scales beyond it here.
 * Pods belong to the process table, not to the operator that started them: the next leader goes on with them.
 */
export function createHostWorkloads({
  folder,
  pod,
  log,
  clock,
}: HostWorkloadsOptions): Workloads & { close(): Promise<void> } {
  let supervisor: Supervisor | undefined;
  const desired = new Map<string, DesiredWorkload>();
  const listeners = new Set<(key: EventKey) => void>();
  let seen = new Map<EventKey, string>();
  let writing: Promise<unknown> = Promise.resolve();

  function onChange(records: ProcessRecord[]): void {
    writing = writing
      .then(() => publishRoutes(folder, records))
      .catch((error: unknown) => log.error({ err: error }, 'routes could not be written'));
    const now = new Map<EventKey, string>();
    for (const { serves, instance, state, ready } of records) {
      if (serves !== undefined) now.set(serves, `${now.get(serves) ?? ''} ${instance} ${state} ${ready}`);
    }
    for (const [key, text] of now) {
      if (seen.get(key) !== text) for (const listener of listeners) listener(key);
    }
    seen = now;
  }

  function specOf({ name, role, event, drainSeconds }: DesiredWorkload, slot: number): ProcessSpec {
    const instance = `${role}-${name}-${slot}`;
    return {
      instance,
      role,
      group: groupOf(name),
      serves: event,
      port: () => freePort(),
      url: (port) => `http://127.0.0.1:${port}`,
      ready: (port) => asksReady(`http://127.0.0.1:${port}`),
      launch: (port) => ({
        ...pod,
        env: { ...pod.env, SECKILL_HOST: '127.0.0.1', SECKILL_PORT: String(port), SECKILL_INSTANCE: instance },
        stopSignal: 'SIGTERM',
        stopTimeoutMs: drainSeconds * 1_000,
      }),
    };
  }

  async function recordsOf(name: string): Promise<ProcessRecord[]> {
    const records = (await listRecords(folder.processes)).map(({ value }) => value);
    return records.filter((record) => record.group === groupOf(name) && record.state !== 'stopped');
  }

  async function lead(leading: boolean): Promise<void> {
    if (leading === (supervisor !== undefined)) return;
    if (leading) {
      supervisor = createSupervisor({ processes: folder.processes, logs: folder.logs, log, clock, onChange });
      return;
    }
    const former = supervisor;
    supervisor = undefined;
    desired.clear();
    await former?.stop();
  }

  return {
    lead,
    async observe(name) {
      const records = (supervisor?.records() ?? (await recordsOf(name))).filter(
        (record) => record.group === groupOf(name),
      );
      const wanted = desired.get(name)?.floor ?? 0;
      const present = records.filter(({ state }) => state !== 'stopped');
      if (present.length === 0 && wanted === 0) return undefined;
      const problems = records.flatMap(({ instance, deaths, lastEnd, ready }) =>
        !ready && deaths > 0 ? [`${instance} died ${deaths} times in a row: ${lastEnd ?? 'unknown'}`] : [],
      );
      const ready = present.filter((record) => record.ready && record.state === 'running').length;
      const scaling = { updatePending: false, atCeiling: false };
      return { name, pods: present.length, ready, wanted, problems, ...scaling } satisfies ObservedWorkload;
    },
    async apply(wish) {
      if (supervisor === undefined) throw new Error('only the leader starts pods');
      const before = desired.get(wish.name);
      if (before !== undefined && sameWish(before, wish)) return 'unchanged';
      desired.set(wish.name, wish);
      supervisor.want(
        groupOf(wish.name),
        Array.from({ length: wish.floor }, (_, slot) => specOf(wish, slot)),
      );
      return 'applied';
    },
    async remove(name) {
      if (supervisor === undefined) throw new Error('only the leader stops pods');
      desired.delete(name);
      supervisor.want(groupOf(name), []);
      return (await recordsOf(name)).length === 0 ? 'gone' : 'removing';
    },
    async watch(listener) {
      listeners.add(listener);
      return {
        async stop() {
          listeners.delete(listener);
        },
      };
    },
    async close() {
      await lead(false);
      await writing;
    },
  };
}

/** Written by every process that looks after a part of the table; all of them write what the table says. */
export async function publishRoutes(folder: StateFolder, records: readonly ProcessRecord[]): Promise<void> {
  await writeIfChanged(folder.routes, `${JSON.stringify(routesOf(records))}\n`, 0o644);
  await writeIfChanged(join(folder.targets, 'processes.json'), `${JSON.stringify(targetsOf(records))}\n`, 0o644);
}

const groupOf = (pool: string): string => `pool:${pool}`;

function sameWish(a: DesiredWorkload, b: DesiredWorkload): boolean {
  return a.floor === b.floor && a.drainSeconds === b.drainSeconds && a.event === b.event && a.role === b.role;
}
