import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createRunner } from './seckill.ts';
import { EVENT, storeEvent } from './stored-event.ts';

const folder = tempDir();
const seckill = createRunner(folder);

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends what goes on until Ctrl-C, in order', async (signal) => {
  const { state } = await storeEvent(folder);
  const run = seckill(['status', '--watch', '--state', state]);
  await eventually(() => expect(run.stdout()).toContain(EVENT));
  run.child.kill(signal);
  expect(await run.ended).toBe(0);
});

test('a reader who leaves ends what goes on until Ctrl-C, in order', async () => {
  const { state, setReady } = await storeEvent(folder);
  const run = seckill(['status', '--watch', '--state', state]);
  await eventually(() => expect(run.stdout()).toContain(EVENT));
  run.child.stdout?.destroy();
  // It learns of it when it has something to say.
  await setReady(1);
  expect(await run.ended).toBe(0);
  // What it said at the beginning, and nothing of the reader.
  expect(run.stderr()).toMatch(/^No platform runs on the folder [^\n]*\n$/);
});

test('a reader who has seen enough is no failure of the command, and nothing is said of him', async () => {
  const { state } = await storeEvent(folder);
  const run = seckill(['token', EVENT, '--count', '20000', '--state', state]);
  run.child.stdout?.once('data', () => run.child.stdout?.destroy());
  expect(await run.ended).toBe(0);
  expect(run.stderr()).toBe('');
});
