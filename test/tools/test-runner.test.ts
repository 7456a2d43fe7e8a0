import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = join(import.meta.dirname, '../..');
const folder = tempDir();

/** A project of test files; the runner of this repository runs them. */
const project = (files: Record<string, string>): string => {
  const home = mkdtempSync(join(folder, 'project-'));
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  writeFileSync(join(home, 'vitest.config.ts'), 'export default { test: { include: ["*.test.ts"] } };\n');
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(home, name), `import { beforeAll, expect, test } from 'vitest';\n${text}`);
  }
  return home;
};

const start = (home: string, env: Record<string, string> = {}) => {
  const args = [join(root, 'tools/test.ts'), '--root', home, '--config', join(home, 'vitest.config.ts')];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, CI: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stderr.resume();
  const ended = new Promise<{ code: number | null; lines: string[] }>((resolve) =>
    child.on('close', (code) => resolve({ code, lines: output.trimEnd().split('\n') })),
  );
  return { child, ended };
};

const run = (home: string, env?: Record<string, string>) => start(home, env).ended;

test('the last line counts the tests, and all passed is success', async () => {
  const { code, lines } = await run(project({ 'a.test.ts': "test.each([1, 2])('%i', () => {});" }));
  expect(lines.at(-1)).toBe('2 passed, 0 failed, 0 skipped');
  expect(code).toBe(0);
});

test('a failed test, a file that does not load and a failed hook each count', async () => {
  const { code, lines } = await run(
    project({
      'a.test.ts': "test('fails', () => expect(1).toBe(2)); test('passes', () => {});",
      'b.test.ts': "throw new Error('this file does not load');",
      'c.test.ts': "beforeAll(() => { throw new Error('no server') }); test('never runs', () => {});",
    }),
  );
  expect(lines.at(-1)).toBe('1 passed, 3 failed, 1 skipped');
  expect(code).toBe(1);
});

test('a skip is told with its reason, and fails under CI=true', async () => {
  const home = project({ 'a.test.ts': "test('on a mainframe', ({ skip }) => skip('this machine is none'));" });
  const here = await run(home);
  expect(here.lines.slice(-2)).toEqual([
    'skipped: a.test.ts > on a mainframe: this machine is none',
    '0 passed, 0 failed, 1 skipped',
  ]);
  expect(here.code).toBe(0);
  expect((await run(home, { CI: 'true' })).code).toBe(1);
});

test('a test that passes only at its second attempt is named', async () => {
  const text = "let runs = 0; test('at last', { retry: 1 }, () => { runs += 1; expect(runs).toBe(2); });";
  const { code, lines } = await run(project({ 'a.test.ts': text }));
  expect(lines.slice(-2)).toEqual([
    'flaky: a.test.ts > at last: passed at its second attempt',
    '1 passed, 0 failed, 0 skipped',
  ]);
  expect(code).toBe(0);
});

test('no test at all is a failure', async () => {
  const { code, lines } = await run(project({}));
  expect(lines.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
  expect(code).toBe(1);
});

const detached = (pidFile: string, waitMs: number) => `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
test('starts a process that nobody ends', async () => {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  child.unref();
  writeFileSync('${pidFile}', String(child.pid));
  await new Promise((resolve) => setTimeout(resolve, ${waitMs}));
}, 60_000);
`;

const pidIn = (file: string): Promise<number> =>
  eventually(() => {
    const pid = Number(readFileSync(file, 'utf8'));
    expect(pid).toBeGreaterThan(1);
    return pid;
  });

const ended = (pid: number) =>
  eventually(() => {
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

test('a process that outlives the tests is ended, named, and counts as a failure', async () => {
  const pidFile = join(folder, 'leaked');
  const { code, lines } = await run(project({ 'a.test.ts': detached(pidFile, 0) }));
  expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
  expect(lines.at(-2)).toMatch(/^failed: still running after the tests: \d+ sleep 300$/);
  expect(code).toBe(1);
  await ended(await pidIn(pidFile));
});

test('Ctrl-C leaves neither a process nor a file', async () => {
  const pidFile = join(folder, 'interrupted');
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const { child, ended: over } = start(project({ 'a.test.ts': detached(pidFile, 60_000) }), { TMPDIR: temporary });
  const pid = await pidIn(pidFile);
  child.kill('SIGINT');
  expect((await over).code).toBe(130);
  await ended(pid);
  expect(readdirSync(temporary)).toEqual([]);
});
