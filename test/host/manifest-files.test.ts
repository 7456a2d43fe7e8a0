import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { MANIFEST_FILES_MAX } from '../../operator/platform/host/limits.ts';
import {
  createManifestFiles,
  type ManifestFiles,
  type ManifestReport,
} from '../../operator/platform/host/manifest-files.ts';
import { createObjectStore, type ObjectStore } from '../../operator/platform/host/object-store.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { aStatus, plainManifest, withField } from '../operator/manifests.ts';
import { eventually } from '../support/eventually.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = tempDir();
const log = pino({ level: 'silent' });
const running: ManifestFiles[] = [];

afterEach(async () => {
  for (const files of running.splice(0)) await files.stop();
});

const yaml = (units: number, name = 'phone-x'): string =>
  stringify(withField(withField(plainManifest(), 'spec.stock.totalUnits', units), 'metadata.name', name));

function follow(): { folder: string; store: ObjectStore; files: ManifestFiles; reports: ManifestReport[] } {
  const folder = join(root, randomEventName('manifests'));
  mkdirSync(folder);
  const store = createObjectStore(join(root, randomEventName('events')));
  const reports: ManifestReport[] = [];
  const onReport = (report: ManifestReport): void => void reports.push(report);
  const files = createManifestFiles({ paths: [folder], store, clock: systemClock, log, onReport });
  running.push(files);
  return { folder, store, files, reports };
}

const unitsOf = async (store: ObjectStore, key = 'shop/phone-x'): Promise<number | undefined> =>
  (await store.get(key))?.spec.stock.totalUnits;

test('a file of a followed folder makes its event, and changes it', async () => {
  const { folder, store } = follow();
  writeFileSync(join(folder, 'a.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  writeFileSync(join(folder, 'a.yaml'), yaml(20));
  await eventually(async () => expect(await unitsOf(store)).toBe(20));
  expect((await store.get('shop/phone-x'))?.metadata.generation).toBe(2);
});

test('a file that is replaced by renaming is followed on', async () => {
  const { folder, store } = follow();
  for (const units of [10, 20, 30]) {
    writeFileSync(join(folder, 'new'), yaml(units));
    renameSync(join(folder, 'new'), join(folder, 'a.yaml'));
    await eventually(async () => expect(await unitsOf(store)).toBe(units));
  }
});

test('a broken file is reported, leaves its event as it was, and does not keep the others', async () => {
  const { folder, store, reports } = follow();
  writeFileSync(join(folder, 'a.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  const before = await store.get('shop/phone-x');
  writeFileSync(join(folder, 'a.yaml'), yaml(-5));
  writeFileSync(join(folder, 'b.yaml'), yaml(7, 'mug'));
  await eventually(async () => expect(await unitsOf(store, 'shop/mug')).toBe(7));
  await eventually(() => {
    const problems = reports.flatMap((report) => report.problems.map(({ message }) => message));
    expect(problems).toContain('spec.stock.totalUnits must be an integer from 1 to 10000000, got -5');
  });
  expect(await store.get('shop/phone-x')).toEqual(before);
});

test('a file that vanished deletes nothing', async () => {
  const { folder, store, files } = follow();
  writeFileSync(join(folder, 'a.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  rmSync(join(folder, 'a.yaml'));
  await files.refresh();
  await files.refresh();
  expect(await unitsOf(store)).toBe(10);
});

test('an event that is being deleted is applied again when it is gone', async () => {
  const { folder, store, reports } = follow();
  writeFileSync(join(folder, 'a.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  const uid = (await store.get('shop/phone-x'))?.metadata.uid ?? '';
  await store.setFinalizer('shop/phone-x', uid, true);
  await store.delete('shop/phone-x', Date.now());
  writeFileSync(join(folder, 'a.yaml'), yaml(20));
  await eventually(() => expect(reports.at(-1)?.applied[0]?.outcome).toBe('deleting'));
  expect(await unitsOf(store)).toBe(10);
  await store.setFinalizer('shop/phone-x', uid, false);
  await eventually(async () => expect(await unitsOf(store)).toBe(20));
  expect((await store.get('shop/phone-x'))?.metadata.uid).not.toBe(uid);
});

test('a change that a running sale cannot take is reported, and leaves its event as it was', async () => {
  const { folder, store, reports } = follow();
  writeFileSync(join(folder, 'a.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  const uid = (await store.get('shop/phone-x'))?.metadata.uid ?? '';
  await store.putStatus('shop/phone-x', uid, aStatus({ phase: 'Open', stockGeneration: 1 }));
  const dearer = withField(withField(plainManifest(), 'spec.stock.totalUnits', 20), 'spec.product.priceMinor', 5);
  writeFileSync(join(folder, 'a.yaml'), `${yaml(7, 'mug')}---\n${stringify(dearer)}`);
  await eventually(() => expect(reports.at(-1)?.applied[1]).toEqual({ key: 'shop/phone-x', outcome: 'refused' }));
  expect(reports.at(-1)?.problems).toEqual([
    {
      document: 2,
      field: 'spec.product.priceMinor',
      message:
        'spec.product.priceMinor is frozen from preheat on: put 399900 back, or delete the event and apply it anew once it is settled',
    },
  ]);
  expect(await unitsOf(store)).toBe(10);
  writeFileSync(join(folder, 'a.yaml'), yaml(20));
  await eventually(async () => expect(await unitsOf(store)).toBe(20));
});

test('what cannot be read is reported once, keeps no other file, and is read when it can be', async () => {
  const { folder, store, files, reports } = follow();
  // A folder of that name: a file without the right to read it would be open to root.
  mkdirSync(join(folder, 'a.yaml'));
  writeFileSync(join(folder, 'b.yaml'), yaml(10));
  await eventually(async () => expect(await unitsOf(store)).toBe(10));
  await eventually(() => expect(reports.map(({ file }) => file)).toContain(join(folder, 'a.yaml')));
  expect(await files.refresh()).toEqual([]);
  const [problem] = reports.flatMap(({ problems }) => problems);
  expect(problem?.message).toMatch(/^it cannot be read: EISDIR/);
  rmSync(join(folder, 'a.yaml'), { recursive: true });
  writeFileSync(join(folder, 'a.yaml'), yaml(20, 'phone-y'));
  await eventually(async () => expect(await unitsOf(store, 'shop/phone-y')).toBe(20));
});

test('files beyond the bound are told of, by the first of them', async () => {
  const { folder, files } = follow();
  for (let at = 0; at < MANIFEST_FILES_MAX + 2; at += 1) {
    writeFileSync(join(folder, `${String(at).padStart(4, '0')}.yaml`), '');
  }
  const problems = (await files.refresh()).flatMap((report) => report.problems.map(({ message }) => message));
  const first = join(folder, `${String(MANIFEST_FILES_MAX).padStart(4, '0')}.yaml`);
  expect(problems).toEqual([`2 files are left out, from ${first} on: ${MANIFEST_FILES_MAX} are read at most`]);
});
