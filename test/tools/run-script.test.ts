import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { runCommand } from '../../tools/servers/command.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = join(import.meta.dirname, '../..');
const folder = tempDir();
let clone = '';
let bin = '';

/** npm stands in for itself here, since the real one takes half a minute: what is tried is when it is called. */
const npm = (line: string): void => {
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho called >> "${clone}/npm.log"\n${line}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
};
const npmCalls = (): number => readFileSync(join(clone, 'npm.log'), 'utf8').split('\n').length - 1;

const installs = `mkdir -p node_modules/.bin && sleep 0.3 && ln -sf "${process.execPath}" node_modules/.bin/node &&
touch node_modules/.package-lock.json`;

beforeEach(() => {
  clone = mkdtempSync(join(folder, 'clone-'));
  bin = join(clone, 'bin');
  for (const name of ['bin', 'tools']) mkdirSync(join(clone, name));
  copyFileSync(join(root, 'tools/run'), join(clone, 'tools/run'));
  writeFileSync(join(clone, 'package-lock.json'), '{}');
  writeFileSync(join(clone, 'hello.ts'), 'const word: string = process.argv[2] ?? "";\nconsole.log("hello", word);\n');
});

const run = (env: Record<string, string> = {}) =>
  runCommand('sh', [join(clone, 'tools/run'), 'hello.ts', 'buyer'], {
    env: { PATH: `${bin}:/usr/bin:/bin`, ...env },
    cwd: '/',
  });

test('the packages are installed once, and again only when package-lock.json is newer', async () => {
  npm(installs);
  expect(await run()).toMatchObject({ code: 0, stdout: 'hello buyer\n' });
  expect(await run()).toMatchObject({ code: 0, stdout: 'hello buyer\n', stderr: '' });
  expect(npmCalls()).toBe(1);
  const later = new Date(Date.now() + 5_000);
  utimesSync(join(clone, 'package-lock.json'), later, later);
  await run();
  expect(npmCalls()).toBe(2);
});

test('what Node compiles is kept in the user’s cache, unless the user says where', async () => {
  npm(installs);
  const [ours, theirs] = [join(clone, 'cache'), join(clone, 'theirs')];
  expect(await run({ XDG_CACHE_HOME: ours })).toMatchObject({ code: 0, stdout: 'hello buyer\n' });
  expect(readdirSync(join(ours, 'seckill/compiled'))).toHaveLength(1);
  await run({ XDG_CACHE_HOME: join(clone, 'other'), NODE_COMPILE_CACHE: theirs });
  expect(readdirSync(theirs)).toHaveLength(1);
  expect(existsSync(join(clone, 'other'))).toBe(false);
});

test('of two first runs at once one installs and the other waits for it', async () => {
  npm(installs);
  const results = await Promise.all([run(), run(), run()]);
  expect(results.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
    Array.from({ length: 3 }, () => ({ code: 0, stdout: 'hello buyer\n' })),
  );
  expect(npmCalls()).toBe(1);
});

test('the lock of a run that died is taken over', async () => {
  npm(installs);
  mkdirSync(join(clone, '.seckill'));
  // The largest pid that Linux gives is 2^22: nobody has this one.
  writeFileSync(join(clone, '.seckill/install.lock'), '4194305\n');
  expect(await run()).toMatchObject({ code: 0, stdout: 'hello buyer\n' });
});

/** What is tried is how long it would wait, not that. */
const noPause = (): void => {
  writeFileSync(join(bin, 'sleep'), `#!/bin/sh\necho "$1" >> "${clone}/pauses.log"\n`);
  chmodSync(join(bin, 'sleep'), 0o755);
};

test('an npm that fails for a moment is called again after a pause', async () => {
  noPause();
  npm(`[ -e "${clone}/once" ] || { touch "${clone}/once"; exit 7; }\n${installs}`);
  expect(await run()).toMatchObject({ code: 0, stdout: 'hello buyer\n' });
  expect([npmCalls(), readFileSync(join(clone, 'pauses.log'), 'utf8')]).toEqual([2, '5\n0.3\n']);
});

test('an npm that fails is told in a sentence, and the next run tries again', async () => {
  noPause();
  npm('exit 7');
  const failed = await run();
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('npm could not install the packages');
  expect([npmCalls(), readFileSync(join(clone, 'pauses.log'), 'utf8')]).toEqual([3, '5\n20\n']);
  npm(installs);
  expect((await run()).code).toBe(0);
});

test('a Node that is too old is told before anything runs', async () => {
  npm(installs);
  await run();
  rmSync(join(clone, 'node_modules/.bin/node'));
  writeFileSync(join(clone, 'node_modules/.bin/node'), '#!/bin/sh\n[ "$1" = -v ] && echo v20.20.0 || echo 20\n');
  chmodSync(join(clone, 'node_modules/.bin/node'), 0o755);
  const result = await run();
  expect(result).toMatchObject({ code: 1, stdout: '' });
  expect(result.stderr).toContain('Node v20.20.0 is too old: install Node 24');
});

test('packages that are somebody else’s, by a link, are used but never installed over', async () => {
  npm(`rm -rf node_modules/* && ${installs}`);
  await run();
  const theirs = join(clone, 'theirs');
  renameSync(join(clone, 'node_modules'), theirs);
  symlinkSync(theirs, join(clone, 'node_modules'));
  expect(await run()).toMatchObject({ code: 0, stdout: 'hello buyer\n' });
  const later = new Date(Date.now() + 5_000);
  utimesSync(join(clone, 'package-lock.json'), later, later);
  writeFileSync(join(theirs, 'kept'), '');
  const refused = await run();
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('node_modules is a symbolic link');
  expect(existsSync(join(theirs, 'kept'))).toBe(true);
});
