import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cachedFolder } from '../../tools/servers/cache.ts';
import { withProgress } from '../../tools/servers/progress.ts';
import { retried } from '../../tools/servers/retried.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();

test('a folder of the cache is filled once', async () => {
  const cache = join(folder, 'once');
  let filled = 0;
  const fill = async (partial: string) => {
    filled += 1;
    writeFileSync(join(partial, 'part'), 'whole');
  };
  const first = await cachedFolder(cache, 'server-1', fill);
  expect(await cachedFolder(cache, 'server-1', fill)).toBe(first);
  expect(filled).toBe(1);
  expect(readdirSync(cache)).toEqual(['server-1']);
});

test('an interrupted filling leaves nothing that could be taken for whole', async () => {
  const cache = join(folder, 'interrupted');
  const broken = cachedFolder(cache, 'server-1', async (partial) => {
    writeFileSync(join(partial, 'half'), '');
    expect(existsSync(join(cache, 'server-1'))).toBe(false);
    throw new Error('the line was cut');
  });
  await expect(broken).rejects.toThrow('the line was cut');
  expect(readdirSync(cache)).toEqual([]);
});

test('what a dead process left half-way is removed, what a living one is filling is not', async () => {
  const cache = join(folder, 'leftovers');
  // The largest pid that Linux gives is 2^22: nobody has this one.
  for (const pid of [4_194_305, process.ppid]) mkdirSync(join(cache, `.partial-server-0-${pid}`), { recursive: true });
  await cachedFolder(cache, 'server-1', async () => {});
  expect(readdirSync(cache).sort()).toEqual([`.partial-server-0-${process.ppid}`, 'server-1']);
});

test('of two who fill the same folder one wins, and both use the winner', async () => {
  const cache = join(folder, 'race');
  const winner = join(cache, 'server-1');
  const loser = await cachedFolder(cache, 'server-1', async (partial) => {
    // Somebody else is faster.
    mkdirSync(winner);
    writeFileSync(join(winner, 'by'), 'the other');
    writeFileSync(join(partial, 'by'), 'us');
  });
  expect(loser).toBe(winner);
  expect(readdirSync(cache)).toEqual(['server-1']);
});

test('what takes long is reported at its beginning and its end', async () => {
  const lines: string[] = [];
  const answer = await withProgress(
    (line) => void lines.push(line),
    'fetching a part',
    'once',
    async () => 'part',
  );
  expect(answer).toBe('part');
  expect(lines).toEqual(['fetching a part (once) …', expect.stringMatching(/^done fetching a part: \d+ s$/)]);
});

test('what fails for a moment is fetched again after a pause, a bounded number of times, and each failure is told', async () => {
  const lines: string[] = [];
  let attempts = 0;
  const fetched = (rightFrom: number) =>
    retried(
      (line) => void lines.push(line),
      'fetching a part',
      async () => {
        attempts += 1;
        if (attempts < rightFrom) throw new Error(`the line was cut (${attempts})`);
        return 'part';
      },
      [1, 2],
    );
  expect(await fetched(3)).toBe('part');
  expect(lines).toEqual([
    'fetching a part failed, once more in 0.001 s: the line was cut (1)',
    'fetching a part failed, once more in 0.002 s: the line was cut (2)',
  ]);
  attempts = 0;
  await expect(fetched(4)).rejects.toThrow('the line was cut (3)');
});
