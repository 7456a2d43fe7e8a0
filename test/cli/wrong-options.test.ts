import { expect, test } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';
import { createRunner } from './seckill.ts';

const folder = tempDir();
const seckill = createRunner(folder);

test.each([
  [['demo', '--buyers', '0'], '--buyers', 'Give a whole number from 1 to'],
  [['demo', '--buyers', '-5'], '--buyers', 'Give a whole number from 1 to'],
  [['demo', '--units', 'abc'], '--units', 'Give a whole number from 1 to'],
  [['load', 'shop/x', '--rate', '5', '--burst'], '--rate', 'cannot be used with'],
  [['audit', 'Shop/X'], 'event', 'Give NAMESPACE/NAME'],
] as const)('seckill %j is refused by name, with the remedy, and exit code 2', async (args, name, remedy) => {
  const run = seckill(args);
  expect(await run.ended).toBe(2);
  expect(run.stderr()).toContain(name);
  expect(run.stderr()).toContain(remedy);
  expect(run.stdout()).toBe('');
});

test.each([
  [['audit', 'shop/x', '--state', 'none'], 'seckill up'],
  [['token', 'shop/x', '--state', 'none'], 'seckill up'],
] as const)('seckill %j says that no platform runs there, and how to start one', async (args, remedy) => {
  const run = seckill(args);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toContain('No platform runs on the folder none');
  expect(run.stderr()).toContain(remedy);
});
