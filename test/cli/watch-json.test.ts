import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { watchCommand } from '../../cli/watch.ts';
import type { Endpoints } from '../../operator/platform/host/endpoints.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { runHere } from './in-process.ts';
import { createRunner } from './seckill.ts';
import { EVENT, storeEvent } from './stored-event.ts';

const folder = tempDir();
const seckill = createRunner(folder);

/** A platform that runs, as far as a folder says so, without a Prometheus. */
async function platform(): Promise<string> {
  const { state } = await storeEvent(folder);
  const endpoints: Endpoints = { sale: 'http://127.0.0.1:1', redis: '', mysql: '', kafka: [], processes: [] };
  writeFileSync(stateFolder(state).endpoints, JSON.stringify(endpoints));
  return state;
}

const PHONE = {
  time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  events: [
    {
      event: expect.objectContaining({ metadata: expect.objectContaining({ namespace: 'shop', name: 'phone-x' }) }),
      readings: null,
    },
  ],
};

test('watch --once --json prints one object', async () => {
  const { code, said, complained } = await runHere(watchCommand(), [
    EVENT,
    '--once',
    '--json',
    '--state',
    await platform(),
  ]);
  expect({ code, complained }).toEqual({ code: 0, complained: '' });
  expect(JSON.parse(said)).toEqual(PHONE);
});

test('watch --json prints an object a line, until Ctrl-C', async () => {
  const run = seckill(['watch', '--json', '--state', await platform()]);
  await eventually(() => expect(run.stdout().split('\n').length).toBeGreaterThan(2));
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  const lines = run.stdout().trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(lines.map(() => PHONE));
});
