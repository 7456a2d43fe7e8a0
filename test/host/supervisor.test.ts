import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { asksReady } from '../../operator/platform/host/probe.ts';
import { findByEnvironment, identify, isAlive } from '../../operator/platform/host/proc.ts';
import { listRecords, type ProcessRecord, recordFolder } from '../../operator/platform/host/process-record.ts';
import type { ProcessSpec } from '../../operator/platform/host/slot.ts';
import { createSupervisor, type Supervisor } from '../../operator/platform/host/supervisor.ts';
import { writeRecord } from '../../operator/platform/host/versioned-record.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = tempDir();
const log = pino({ level: 'silent' });
const sleeper = fileURLToPath(new URL('./sleeper.ts', import.meta.url));
const open: { supervisor: Supervisor; groups: Set<string> }[] = [];

afterEach(async () => {
  for (const { supervisor, groups } of open.splice(0)) {
    for (const group of groups) supervisor.want(group, []);
    await Promise.all([...groups].map((group) => supervisor.drained(group)));
    await supervisor.stop();
  }
});

function spec(instance: string, mode = '', stopTimeoutMs = 5_000): ProcessSpec {
  return {
    ...{ instance, role: 'sleeper', group: 'sleepers' },
    port: () => freePort(),
    url: (port) => `http://127.0.0.1:${port}`,
    ready: (port) => asksReady(`http://127.0.0.1:${port}`),
    launch: (port) => ({
      ...{ command: process.execPath, args: [sleeper, String(port), mode], cwd: root },
      ...{ env: { PATH: '/usr/bin:/bin' }, stopSignal: 'SIGTERM', stopTimeoutMs },
    }),
  };
}

const newTable = (): string => join(root, randomEventName('table'));

function supervise(processes: string): Supervisor {
  const supervisor = createSupervisor({
    processes,
    logs: join(root, 'logs'),
    log,
    clock: systemClock,
    onChange: () => {},
  });
  open.push({ supervisor, groups: new Set(['sleepers']) });
  return supervisor;
}

const inTable = async (processes: string): Promise<ProcessRecord[]> =>
  (await listRecords(processes)).map(({ value }) => value);

const ready = (supervisor: Supervisor, count: number): Promise<ProcessRecord[]> =>
  eventually(() => {
    const records = supervisor.records().filter((record) => record.ready);
    expect(records).toHaveLength(count);
    return records;
  });

describe('the supervisor', () => {
  test('starts what is wanted, each on record with pid, start time and nonce', async () => {
    const processes = newTable();
    const supervisor = supervise(processes);
    supervisor.want('sleepers', [spec('sleeper-0'), spec('sleeper-1')]);
    await ready(supervisor, 2);
    for (const { identity, nonce } of await inTable(processes)) {
      expect(identity).toBeDefined();
      expect(identity !== undefined && isAlive(identity)).toBe(true);
      expect(findByEnvironment('SECKILL_NONCE', nonce)).toEqual(identity);
    }
  });

  test('stops what is wanted no more, and leaves nothing', async () => {
    const processes = newTable();
    const supervisor = supervise(processes);
    supervisor.want('sleepers', [spec('sleeper-0'), spec('sleeper-1')]);
    const [one, two] = await ready(supervisor, 2);
    supervisor.want('sleepers', [spec('sleeper-0')]);
    await eventually(() => expect(two?.identity !== undefined && isAlive(two.identity)).toBe(false));
    expect(one?.identity !== undefined && isAlive(one.identity)).toBe(true);
    supervisor.want('sleepers', []);
    await supervisor.drained('sleepers');
    expect(one?.identity !== undefined && isAlive(one.identity)).toBe(false);
  });

  test('knows, when a group is gone, what that group put on record to the end', async () => {
    const processes = newTable();
    const supervisor = supervise(processes);
    supervisor.want('operators', []);
    await supervisor.drained('operators');
    // Between two readings of the table, as an operator does that starts a pod and ends.
    const pod: ProcessRecord = {
      ...{ instance: 'pod-0', role: 'seckill', group: 'pool:x', state: 'running', ready: false, nonce: 'new' },
      ...{ url: '', port: 1, startedMs: 0, deaths: 0, nextStartMs: 0, stopSignal: 'SIGTERM', stopTimeoutMs: 0 },
    };
    await writeRecord(recordFolder(processes, 'pod-0'), 0, pod);
    await supervisor.drained('operators');
    expect(supervisor.records()).toEqual([pod]);
  });

  test('kills what does not stop in its time', async () => {
    const supervisor = supervise(newTable());
    supervisor.want('sleepers', [spec('sleeper-0', 'deaf', 300)]);
    const [deaf] = await ready(supervisor, 1);
    supervisor.want('sleepers', []);
    await supervisor.drained('sleepers');
    expect(deaf?.identity !== undefined && isAlive(deaf.identity)).toBe(false);
  });

  test('starts a killed process again', async () => {
    const supervisor = supervise(newTable());
    supervisor.want('sleepers', [spec('sleeper-0')]);
    const [first] = await ready(supervisor, 1);
    process.kill(first?.identity?.pid ?? 0, 'SIGKILL');
    await eventually(() => {
      const [now] = supervisor.records();
      expect(now?.ready).toBe(true);
      expect(now?.identity?.pid).not.toBe(first?.identity?.pid);
    });
  });

  test('waits longer and longer with one that dies at once', async () => {
    const supervisor = supervise(newTable());
    supervisor.want('sleepers', [spec('sleeper-0', 'dies')]);
    const record = await eventually(() => {
      const [now] = supervisor.records();
      expect(now?.deaths).toBeGreaterThanOrEqual(3);
      return now;
    });
    expect(record?.lastEnd).toBe('it exited with 3');
    expect((record?.nextStartMs ?? 0) - (record?.startedMs ?? 0)).toBeGreaterThanOrEqual(800);
  });

  test('does not call ready what does not say so', async () => {
    const supervisor = supervise(newTable());
    supervisor.want('sleepers', [spec('sleeper-0', 'unready')]);
    const running = await eventually(async () => {
      const [now] = supervisor.records();
      expect(now?.state).toBe('running');
      expect((await fetch(now?.url ?? '')).status).toBe(503);
      return now;
    });
    expect(running?.ready).toBe(false);
  });

  test('adopts what a former one left, and starts nothing twice', async () => {
    const processes = newTable();
    const former = supervise(processes);
    former.want('sleepers', [spec('sleeper-0'), spec('sleeper-1')]);
    const before = await ready(former, 2);
    await former.stop();
    const next = supervise(processes);
    next.want('sleepers', [spec('sleeper-0'), spec('sleeper-1')]);
    const after = await ready(next, 2);
    expect(after.map(({ identity }) => identity)).toEqual(before.map(({ identity }) => identity));
  });

  test('adopts a process whose starter died before it could note the pid', async () => {
    const processes = newTable();
    const port = await freePort();
    const nonce = randomEventName('nonce');
    const child = spawn(process.execPath, [sleeper, String(port)], {
      ...{ detached: true, stdio: 'ignore' },
      env: { PATH: '/usr/bin:/bin', SECKILL_NONCE: nonce },
    });
    child.unref();
    const claim: ProcessRecord = {
      ...{ instance: 'sleeper-0', role: 'sleeper', group: 'sleepers', state: 'starting', ready: false, nonce, port },
      ...{ url: `http://127.0.0.1:${port}`, startedMs: Date.now() - 60_000, deaths: 0, nextStartMs: 0 },
      ...{ stopSignal: 'SIGTERM', stopTimeoutMs: 0 },
    };
    await writeRecord(recordFolder(processes, 'sleeper-0'), 0, claim);
    const supervisor = supervise(processes);
    supervisor.want('sleepers', [spec('sleeper-0')]);
    const [adopted] = await ready(supervisor, 1);
    expect(adopted?.identity).toEqual(identify(child.pid ?? 0));
  });

  test('does not take a stranger with a recycled pid for its process', async () => {
    const processes = newTable();
    const me = identify(process.pid);
    const record: ProcessRecord = {
      ...{ instance: 'sleeper-0', role: 'sleeper', group: 'sleepers', state: 'running', ready: true, nonce: 'old' },
      identity: { pid: process.pid, startTicks: '1', bootId: me?.bootId ?? '' },
      ...{ url: '', port: 1, startedMs: 0, deaths: 0, nextStartMs: 0, stopSignal: 'SIGTERM', stopTimeoutMs: 0 },
    };
    await writeRecord(recordFolder(processes, 'sleeper-0'), 0, record);
    const supervisor = supervise(processes);
    supervisor.want('sleepers', [spec('sleeper-0')]);
    const started = await eventually(() => {
      const [now] = supervisor.records();
      expect(now?.ready && now.nonce !== 'old').toBe(true);
      return now;
    });
    expect(started?.identity?.pid).not.toBe(process.pid);
  });

  test('beside another one on the same table starts each process once', async () => {
    const processes = newTable();
    const both = [supervise(processes), supervise(processes)];
    for (const supervisor of both)
      supervisor.want('sleepers', [spec('sleeper-0'), spec('sleeper-1'), spec('sleeper-2')]);
    await Promise.all(both.map((supervisor) => ready(supervisor, 3)));
    const [here, there] = both.map((supervisor) => supervisor.records().map(({ identity }) => identity));
    expect(here).toEqual(there);
    const nonces = (await inTable(processes)).map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(3);
  });
});
