import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { portOf, salePort } from '../../cli/up/servers.ts';
import { freePort } from '../../operator/platform/host/free-port.ts';
import { identify } from '../../operator/platform/host/proc.ts';
import type { ProcessRecord } from '../../operator/platform/host/process-record.ts';

const other = createServer();
let taken = 0;
let free = 0;

beforeAll(async () => {
  [taken, free] = [await freePort(), await freePort()];
  await new Promise<void>((resolve) => other.listen(taken, '127.0.0.1', resolve));
});

afterAll(() => {
  other.close();
});

/** On record as running; whether it lives is another question. */
const recordOf = (port: number, identity: ProcessRecord['identity']): ProcessRecord => ({
  ...{ instance: 'edge', role: 'edge', group: 'edge', state: 'running', ready: true, nonce: 'none-has-it' },
  ...{ url: `http://127.0.0.1:${port}`, port, startedMs: 0, deaths: 0, nextStartMs: 0 },
  ...{ stopSignal: 'SIGQUIT', stopTimeoutMs: 1_000 },
  ...(identity === undefined ? {} : { identity }),
});
const alive = (port: number): ProcessRecord => recordOf(port, identify(process.pid));
const fromBeforeTheBoot = (port: number): ProcessRecord =>
  recordOf(port, { pid: process.pid, startTicks: '1', bootId: 'another' });

test('what lives keeps its port, and so does what is dead while nobody else took it', async () => {
  expect(await portOf([alive(taken)], 'edge')).toBe(taken);
  expect(await portOf([fromBeforeTheBoot(free)], 'edge')).toBe(free);
  expect(await salePort(undefined, [alive(taken)])).toBe(taken);
  expect(await salePort(taken, [alive(taken)])).toBe(taken);
  expect(await salePort(undefined, [fromBeforeTheBoot(free)])).toBe(free);
});

test('a dead process leaves a port that somebody else took since, whatever its record says', async () => {
  expect(await portOf([fromBeforeTheBoot(taken)], 'edge')).not.toBe(taken);
  expect(await portOf([recordOf(taken, undefined)], 'edge')).not.toBe(taken);
  expect(await salePort(undefined, [fromBeforeTheBoot(taken)])).not.toBe(taken);
  expect(await salePort(free, [fromBeforeTheBoot(taken)])).toBe(free);
});

test('another port than that of a living edge is refused, and so is a taken one', async () => {
  await expect(salePort(free, [alive(taken)])).rejects.toThrow(
    `--port ${free}: the edge of an earlier "seckill up" serves this folder on port ${taken}. Leave --port out`,
  );
  await expect(salePort(taken, [])).rejects.toThrow(`Port ${taken} is taken: name a free one by --port.`);
});
