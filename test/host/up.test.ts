import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { admit } from '../../cli/tokens.ts';
import { isAlive, type ProcessIdentity } from '../../operator/platform/host/proc.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import { readEndpoints, readEvents } from '../../operator/platform/host/state.ts';
import { type StateFolder, stateFolder } from '../../operator/platform/host/state-folder.ts';
import { readTokenKeys } from '../../services/kit/token-keys.ts';
import { plainManifest, withField } from '../operator/manifests.ts';
import { buyUnit } from '../support/buy.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';

const PATIENT = { deadlineMs: 90_000, intervalMs: 50 };
const root = tempDir();
let dir: string;
let state: string;
let folder: StateFolder;
let manifest: string;
const children = new Set<ChildProcess>();

interface Command {
  child: ChildProcess;
  /** All that it has said so far, on both streams. */
  said(): string;
  code: Promise<number | NodeJS.Signals | null>;
}

function seckill(...args: string[]): Command {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../cli/main.ts', import.meta.url)), ...args], {
    cwd: dir,
  });
  children.add(child);
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    text += data.toString();
  });
  const code = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (status, signal) => {
      children.delete(child);
      resolve(signal ?? status);
    });
  });
  return { child, said: () => text, code };
}

const up = (): Command => seckill('up', '-f', manifest, '--state', state, '--relays', '1', '--operators', '1');
const serves = (command: Command): Promise<void> =>
  eventually(() => expect(command.said()).toContain('The platform runs'), PATIENT);

async function identities(): Promise<Map<string, ProcessIdentity>> {
  const found = new Map<string, ProcessIdentity>();
  for (const { value } of await listRecords(folder.processes)) {
    if (value.identity !== undefined && value.state !== 'stopped') found.set(value.instance, value.identity);
  }
  return found;
}

async function reaches(phase: string): Promise<void> {
  await eventually(async () => expect((await readEvents(state))[0]?.status?.phase).toBe(phase), PATIENT);
}

async function buy(prefix: string, count: number): Promise<number[]> {
  const [event] = await readEvents(state);
  const sale = { eventId: event?.status?.eventId ?? '', endMs: Date.parse(event?.status?.endTime ?? '') };
  const url = `${(await readEndpoints(state))?.sale}/v1/events/shop/phone-x`;
  const admitted = admit(readTokenKeys(folder.tokenKeys), sale, { count, nowMs: Date.now(), prefix });
  return Promise.all(admitted.map(async ({ token }) => (await buyUnit(url, token)).status));
}

function write(fields: Record<string, unknown>): void {
  const changes = {
    ...{ 'spec.stock.totalUnits': 12, 'spec.schedule.startTime': '2026-01-01T00:00:00Z' },
    ...{ 'spec.schedule.endTime': '2099-01-01T00:00:00Z', ...fields },
  };
  writeFileSync(
    manifest,
    stringify(Object.entries(changes).reduce((at, [path, value]) => withField(at, path, value), plainManifest())),
  );
}

beforeEach(() => {
  dir = mkdtempSync(join(root, 'up-'));
  state = join(dir, 'state');
  folder = stateFolder(state);
  manifest = join(dir, 'sale.yaml');
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  // Whatever a failed test left must not outlive it; until none is left, since an operator may start another pod.
  await eventually(async () => {
    const left = [...(await identities()).values()].filter(isAlive);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    return left.length === 0;
  });
});

describe('seckill up', { timeout: 300_000 }, () => {
  test('starts nothing for manifests that are all wrong, and says why', async () => {
    write({ 'spec.stock.totalUnits': -5, 'spec.durability': 'confirmed' });
    const command = up();
    expect(await command.code).toBe(2);
    expect(command.said()).toContain('spec.stock.totalUnits must be an integer from 1 to 10000000, got -5');
    expect(command.said()).toContain('spec.durability confirmed is not implemented yet');
    expect(await identities()).toEqual(new Map());
  });

  test('goes on where it was after a kill -9, refuses a second one beside it, and leaves nothing after Ctrl-C', async () => {
    write({});
    const first = up();
    await serves(first);
    await reaches('Open');
    await eventually(async () => expect(await buy('early', 1)).toEqual([201]), PATIENT);
    const running = await identities();
    expect([...running.keys()].sort()).toEqual([
      ...['edge', 'kafka', 'mariadb', 'operator-0', 'order-0', 'prometheus', 'redis', 'relay-0'],
      ...['seckill-shop.phone-x-0', 'seckill-shop.phone-x-1'],
    ]);

    const second = up();
    expect(await second.code).toBe(2);
    expect(second.said()).toContain(`Another "seckill up" (pid ${first.child.pid}) is alive on this folder`);

    first.child.kill('SIGKILL');
    await first.code;
    expect((await buy('alone', 3)).every((status) => status === 201)).toBe(true);
    const next = up();
    await serves(next);
    expect(await identities()).toEqual(running);
    expect(await buy('late', 20)).toEqual(expect.arrayContaining([201, 409]));
    await reaches('SoldOut');
    write({ 'spec.closed': true });
    await reaches('Settled');
    const [event] = await readEvents(state);
    expect(event?.status?.accuracy).toEqual({
      oversold: 0,
      undersold: 0,
      broken: 0,
      phantom: 0,
      overLimit: 0,
      drift: 0,
    });
    expect(event?.status?.stock).toMatchObject({ sold: 12, available: 0, held: 0 });

    const all = await identities();
    next.child.kill('SIGINT');
    expect(await next.code).toBe(0);
    expect(next.said()).toContain('everything is stopped');
    expect([...all.values(), ...running.values()].filter(isAlive)).toEqual([]);
    expect(existsSync(folder.endpoints)).toBe(false);
  });

  test('begins again from what an orderly stop left, with a Redis that was restarted', async () => {
    write({ 'metadata.name': 'phone-y', 'spec.stock.totalUnits': 5 });
    const first = up();
    await serves(first);
    await eventually(async () => {
      const events = await readEvents(state);
      expect(events.find(({ metadata }) => metadata.name === 'phone-y')?.status?.phase).toBe('Open');
    }, PATIENT);
    first.child.kill('SIGINT');
    expect(await first.code).toBe(0);
    const next = up();
    await serves(next);
    await eventually(async () => {
      const events = await readEvents(state);
      const status = events.find(({ metadata }) => metadata.name === 'phone-y')?.status;
      expect(status).toMatchObject({ phase: 'Open' });
      expect(status?.stockGeneration).toBeGreaterThan(1);
    }, PATIENT);
    next.child.kill('SIGINT');
    expect(await next.code).toBe(0);
    expect(await identities()).toEqual(new Map());
  });
});
