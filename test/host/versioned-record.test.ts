import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRecord, writeRecord } from '../../operator/platform/host/versioned-record.ts';
import { randomEventName } from '../support/names.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = tempDir();
const newFolder = (): string => join(root, randomEventName('record'));

test('a record is absent, then what was written last', async () => {
  const folder = newFolder();
  expect(await readRecord(folder)).toBeUndefined();
  expect(await writeRecord(folder, 0, { n: 1 })).toEqual({ version: 1, value: { n: 1 } });
  expect(await writeRecord(folder, 1, { n: 2 })).toEqual({ version: 2, value: { n: 2 } });
  expect(await readRecord(folder)).toEqual({ version: 2, value: { n: 2 } });
});

test('only a few versions stay', async () => {
  const folder = newFolder();
  for (let seen = 0; seen < 30; seen += 1) await writeRecord(folder, seen, seen);
  expect(readdirSync(folder).length).toBeLessThanOrEqual(8);
  expect(await readRecord(folder)).toEqual({ version: 30, value: 29 });
});

test('a writer that slept for so long that its version was swept is refused all the same', async () => {
  const folder = newFolder();
  for (let seen = 0; seen < 30; seen += 1) await writeRecord(folder, seen, seen);
  expect(await writeRecord(folder, 1, 'stale')).toBeUndefined();
  expect(await readRecord(folder)).toEqual({ version: 30, value: 29 });
});

test('whoever writes over what he has not seen is refused', async () => {
  const folder = newFolder();
  await writeRecord(folder, 0, 'first');
  await writeRecord(folder, 1, 'second');
  for (const seen of [0, 1]) expect(await writeRecord(folder, seen, 'stale')).toBeUndefined();
  expect(await readRecord(folder)).toEqual({ version: 2, value: 'second' });
});

test('many at once count without losing one', async () => {
  const folder = newFolder();
  const increment = async (): Promise<void> => {
    for (;;) {
      const found = await readRecord<number>(folder);
      if ((await writeRecord(folder, found?.version ?? 0, (found?.value ?? 0) + 1)) !== undefined) return;
    }
  };
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let i = 0; i < 5; i += 1) await increment();
    }),
  );
  expect((await readRecord<number>(folder))?.value).toBe(100);
});
