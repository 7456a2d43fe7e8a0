import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createHostPlatform } from '../../operator/platform/host/host.ts';
import { createObjectStore } from '../../operator/platform/host/object-store.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import type { Routes } from '../../operator/platform/host/routes.ts';
import { readEventNotices, readEvents } from '../../operator/platform/host/state.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { keyOf, newManifest, platformContract } from '../operator/platform-contract.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';

const log = pino({ level: 'silent' });
const pod = {
  command: process.execPath,
  args: [fileURLToPath(new URL('./sleeper.ts', import.meta.url))],
  env: { PATH: '/usr/bin:/bin' },
  cwd: '/',
};

const contractDir = tempDir();

platformContract('host', async () => {
  const folder = stateFolder(contractDir);
  const store = createObjectStore(folder.events);
  return {
    open: async () => createHostPlatform({ stateDir: contractDir, pod, log, clock: systemClock }),
    apply: async (manifest) => void (await store.apply(manifest, Date.now())),
    delete: async (key) => void (await store.delete(key, Date.now())),
    notices: () => readEventNotices(contractDir),
    killPod: async (pool) => {
      const records = await listRecords(folder.processes);
      const found = records.find(({ value }) => value.group === `pool:${pool}` && value.identity !== undefined);
      process.kill(found?.value.identity?.pid ?? 0, 'SIGKILL');
    },
    close: async () => {},
  };
});

const dir = tempDir();

test('the routes of the edge name ready pods by their event, and nobody else', async () => {
  const folder = stateFolder(dir);
  const platform = createHostPlatform({ stateDir: dir, pod, log, clock: systemClock });
  const [one, two] = [keyOf(newManifest()), keyOf(newManifest())];
  const desired = { role: 'seckill', ceiling: 2, drainSeconds: 5, cpuUtilization: 60, updates: 'now' } as const;
  await platform.workloads.lead(true);
  await platform.workloads.apply({ ...desired, name: one.replace('/', '.'), event: one, floor: 2 });
  await platform.workloads.apply({ ...desired, name: two.replace('/', '.'), event: two, floor: 1 });
  const routes = (): Routes => JSON.parse(readFileSync(join(folder.routes), 'utf8')) as Routes;
  await eventually(() => {
    expect(routes().events[one]).toHaveLength(2);
    expect(routes().events[two]).toHaveLength(1);
  });
  expect(routes().any).toHaveLength(3);
  for (const name of [one, two]) {
    await eventually(async () => expect(await platform.workloads.remove(name.replace('/', '.'))).toBe('gone'));
  }
  await eventually(() => expect(routes()).toEqual({ events: {}, orders: [], any: [] }));
  await platform.close();
});

test('several writers of one object lose no change', async () => {
  const stores = [1, 2, 3].map(() => createObjectStore(stateFolder(dir).events));
  const manifest = newManifest();
  const key = keyOf(manifest);
  await stores[0]?.apply(manifest, Date.now());
  await Promise.all(stores.map((store, index) => store.annotate(key, `note-${index}`, 'x')));
  const found = (await readEvents(dir)).find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key);
  expect(Object.keys(found?.metadata.annotations ?? {}).sort()).toEqual(['note-0', 'note-1', 'note-2']);
});
