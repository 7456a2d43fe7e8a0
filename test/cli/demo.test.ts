import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Report } from '../../cli/report/report.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createRunner, processesOf } from './seckill.ts';

const root = tempDir();
const SALE_MAX_MS = 180_000;
const seckill = createRunner(root);
const small = (out: string): string[] => [
  'demo',
  '--buyers',
  '400',
  '--units',
  '30',
  '--pods',
  '1',
  '--rate',
  '400',
  '--out',
  out,
];

test(
  'a demo that was killed is cleared away by the next one, which plays an exact sale and leaves nothing running',
  async () => {
    const out = join(mkdtempSync(join(root, 'demo-')), 'killed');
    const killed = seckill(small(out));
    await eventually(() => killed.stderr().includes('the platform runs'), { deadlineMs: SALE_MAX_MS });
    killed.child.kill('SIGKILL');
    await killed.ended;
    const left = processesOf(out);
    expect(left.length).toBeGreaterThan(3);

    const run = seckill([...small(out), '--keep']);
    await eventually(() => run.stderr().includes('Ctrl-C ends it'), { deadlineMs: SALE_MAX_MS });
    await tryCommands(join(out, 'state'));
    run.child.kill('SIGINT');
    expect(await run.ended, run.stderr()).toBe(0);
    expect(run.stdout()).toContain('EXACT');
    expect(processesOf(out)).toEqual([]);

    const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report;
    expect(report).toMatchObject({ event: 'shop/phone-x', units: 30, buyers: 400, pods: 1, seed: 1, exact: true });
    expect(report.answers).toEqual({ held: 30, soldOut: 370, limitExceeded: 0, refused: 0, unknown: 0, failed: 0 });
    expect(report.orders).toEqual({ PENDING_PAYMENT: 30 });
    expect(report.accuracy).toEqual({ oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 });
    expect(report.accuracyInPrometheus).toEqual(report.accuracy);
    expect(report.winners).toMatchObject({ winners: 30, matched: 30, liveOrders: 30 });
    expect(report.latencyMs.held.p50).toBeGreaterThan(0);
    expect(report.timeline.map(({ what }) => what).join('\n')).toMatch(
      /Preheating[\s\S]*first buyer[\s\S]*closed: true[\s\S]*Settled/,
    );
  },
  2 * SALE_MAX_MS,
);

test(
  'other commands reach a running sale, and Ctrl-C in the middle of it ends everything that the demo started',
  async () => {
    const out = join(mkdtempSync(join(root, 'demo-')), 'stopped');
    const slow = ['--buyers', '3000', '--units', '1000', '--pods', '1', '--rate', '10'];
    const run = seckill(['demo', ...slow, '--out', out]);
    await eventually(() => run.stderr().includes('phase Open'), { deadlineMs: SALE_MAX_MS });
    const state = join(out, 'state');
    const load = await answer('load', 'shop/phone-x', '--buyers', '5', '--rate', '50', '--json', '--state', state);
    expect(load.code).toBe(0);
    expect(JSON.parse(load.stdout)).toMatchObject({ buyers: 5, answers: { held: 5 }, generator: { workers: 1 } });
    const audit = await answer('audit', 'shop/phone-x', '--state', state);
    expect(audit.code).toBe(0);
    expect(audit.stdout).toContain('oversold');

    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(processesOf(out)).toEqual([]);
  },
  SALE_MAX_MS,
);

test('what no demo has made is left alone', async () => {
  const file = join(root, 'file');
  writeFileSync(file, 'mine');
  const onFile = seckill(['demo', '--out', file]);
  expect(await onFile.ended).toBe(2);
  expect(onFile.stderr()).toContain('is a file: name a folder');
  const foreign = join(root, 'foreign');
  mkdirSync(join(foreign, 'state'), { recursive: true });
  const onFolder = seckill(['demo', '--out', foreign]);
  expect(await onFolder.ended).toBe(1);
  expect(onFolder.stderr()).toContain('no demo has made it: give another folder with --out');
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test.each(['event.yaml', 'report.json', 'report.html', 'demo.json'])(
  'a folder with a %s that no demo has made is left alone',
  async (name) => {
    const folder = join(root, `own-${name}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), '{"mine":1}');
    const run = seckill(['demo', '--out', folder]);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain(`${name} is there and no demo has made it: give another folder with --out`);
    expect(readdirSync(folder)).toEqual([name]);
    expect(readFileSync(join(folder, name), 'utf8')).toBe('{"mine":1}');
  },
);

/** What can still be asked when the only sale is settled. */
const tryCommands = async (state: string): Promise<void> => {
  const [audit, unknown, tokens] = await Promise.all([
    answer('audit', 'shop/phone-x', '--json', '--state', state),
    answer('audit', 'shop/phone-y', '--state', state),
    answer('token', 'shop/phone-x', '--count', '2', '--state', state),
  ]);
  expect(audit.code).toBe(0);
  expect(JSON.parse(audit.stdout)).toMatchObject({
    eventId: 'shop.phone-x.1',
    state: 'settled',
    accurate: true,
    accuracy: { oversold: 0, undersold: 0, broken: 0, phantom: 0, overLimit: 0, drift: 0 },
    counts: { told: 30, due: 30 },
    settlement: expect.any(Object),
  });
  expect(unknown.code).toBe(1);
  const lines = tokens.stdout.trim().split('\n');
  const buyers = lines.map((line) => (JSON.parse(line) as { buyer: string }).buyer);
  expect(new Set(buyers).size).toBe(2);
};

const answer = async (...args: string[]): Promise<{ code: number; stdout: string }> => {
  const run = seckill(args);
  const code = await run.ended;
  return { code, stdout: run.stdout() };
};
