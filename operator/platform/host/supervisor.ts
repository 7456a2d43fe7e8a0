import type { Clock } from '../../../services/kit/clock.ts';
import type { Log } from '../../../services/kit/log.ts';
import { RECORD_REREAD_MS, STOP_POLL_MS, SUPERVISOR_TICK_MS } from './limits.ts';
import { listRecords, type ProcessRecord, recordFolder } from './process-record.ts';
import { createSlot, type ProcessSpec } from './slot.ts';
import { readRecord, type Versioned, writeRecord } from './versioned-record.ts';

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
  /** Resolves when the group has no process left, or the supervision has ended; the table is read anew then. */
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
  const slots = new Map<string, ReturnType<typeof createSlot>>();
  const busy = new Map<string, Promise<void>>();
  let rereadAtMs = 0;
  let rereading: Promise<void> | undefined;
  let stopped = false;

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
    try {
      let changed = false;
      for (const record of await listRecords(processes)) {
        const known = table.get(record.value.instance);
        if (known !== undefined && known.version >= record.version) continue;
        table.set(record.value.instance, record);
        changed = true;
      }
      if (changed) onChange(all());
    } catch (error) {
      log.error({ err: error }, 'process table could not be read');
    }
  }

  function tick(): void {
    if (stopped) return;
    const nowMs = clock.nowMs();
    if (nowMs >= rereadAtMs && rereading === undefined) {
      rereading = reread().finally(() => {
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
    let slot = slots.get(instance);
    if (slot === undefined) {
      slot = createSlot({ logs, log, clock, save, record: () => table.get(instance)?.value });
      slots.set(instance, slot);
    }
    const work = slot(spec)
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
      // The group may itself have put processes on record until its end.
      await reread();
    },
  };
}
