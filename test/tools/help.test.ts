import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../tools/servers/command.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = join(import.meta.dirname, '../..');
const folder = tempDir();

test('npm run help has a sentence for every script', async () => {
  const { code, stdout } = await runCommand(process.execPath, [join(root, 'tools/help.ts')]);
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => /^npm run (\S+) +\S.+\.$/.exec(line)?.[1])).toEqual(Object.keys(scripts));
  expect(code).toBe(0);
});

test('a script without a sentence, and a sentence without a script, fail by name', async () => {
  mkdirSync(join(folder, 'tools'));
  copyFileSync(join(root, 'tools/help.ts'), join(folder, 'tools/help.ts'));
  const scripts = { known: 'true', secret: 'true' };
  const scriptsDoc = { known: 'Does nothing.', gone: 'Did something.' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', scripts, scriptsDoc }));
  const { code, stderr } = await runCommand(process.execPath, [join(folder, 'tools/help.ts')]);
  expect(code).toBe(1);
  expect(stderr).toContain('the script secret has no sentence');
  expect(stderr).toContain('scriptsDoc describes gone');
});
