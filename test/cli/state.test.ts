import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteCommand } from '../../cli/delete.ts';
import type { Around } from '../../cli/environment.ts';
import { statusCommand } from '../../cli/status.ts';
import { tokenCommand } from '../../cli/token.ts';
import { identify } from '../../operator/platform/host/proc.ts';
import { type ProcessRecord, recordFolder } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { writeRecord } from '../../operator/platform/host/versioned-record.ts';
import { tempDir } from '../support/temp-dir.ts';
import { runHere } from './in-process.ts';
import { EVENT, storeEvent } from './stored-event.ts';

const dir = tempDir();
const nowhere = join(dir, 'nowhere');
const around: Around = { environment: () => ({ KUBECONFIG: join(dir, 'no-kubeconfig') }), plugin: false };
const NO_PLATFORM = 'start one with "seckill up", or name its folder with --state';

/** A sale that anybody can ask about. */
const sale = createServer((_request, response) => {
  const times = { startTime: '2026-01-01T00:00:00Z', endTime: '2099-01-01T00:00:00Z' };
  response.end(JSON.stringify({ eventId: 'shop.phone-x.1', state: 'open', ...times }));
});
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => sale.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(sale.address() as { port: number }).port}`;
});

afterAll(() => {
  sale.close();
});

/** An operator on record, alive like this process or dead since a reboot. */
async function putOperator(state: string, alive: boolean): Promise<void> {
  const identity = alive ? identify(process.pid) : { pid: process.pid, startTicks: '1', bootId: 'another' };
  const record: ProcessRecord = {
    ...{ instance: 'operator-0', role: 'operator', group: 'operator', state: 'running', ready: true, nonce: 'x' },
    ...{ url: '', port: 1, startedMs: 0, deaths: 0, nextStartMs: 0, stopSignal: 'SIGTERM', stopTimeoutMs: 0 },
    ...(identity === undefined ? {} : { identity }),
  };
  await writeRecord(recordFolder(stateFolder(state).processes, 'operator-0'), 0, record);
}

test('status says that nobody keeps what it shows up to date, and nothing of it beside JSON', async () => {
  const typo = await runHere(statusCommand(around), ['--state', nowhere]);
  expect(typo).toMatchObject({ code: 0, said: 'There are no events.\n' });
  expect(typo.complained).toBe(`No platform runs on the folder ${nowhere}: ${NO_PLATFORM}.\n`);

  const { state } = await storeEvent(join(dir, 'left'));
  await putOperator(state, false);
  const left = await runHere(statusCommand(around), [EVENT, '--state', state]);
  expect(left.said).toContain('Open');
  expect(left.complained).toContain(NO_PLATFORM);
  const json = await runHere(statusCommand(around), ['--json', '--state', state]);
  expect(json.complained).toBe('');
});

test('status says nothing of a platform that runs', async () => {
  const { state } = await storeEvent(join(dir, 'running'));
  await putOperator(state, true);
  expect((await runHere(statusCommand(around), [EVENT, '--state', state])).complained).toBe('');
});

test('an event that nobody would settle is not deleted, unless nobody waits for it', async () => {
  const { state, store, uid } = await storeEvent(join(dir, 'preheated'));
  await store.setFinalizer(EVENT, uid, true);
  const waiting = await runHere(deleteCommand(), [EVENT, '--state', state]);
  expect(waiting.code).toBe(1);
  expect(waiting.complained).toContain(`${EVENT} is left as it is, because nobody would settle it.`);
  expect(waiting.complained).toContain(NO_PLATFORM);
  expect((await store.get(EVENT))?.metadata.deletionMs).toBeUndefined();
  const noted = await runHere(deleteCommand(), [EVENT, '--state', state, '--no-wait']);
  expect(noted).toMatchObject({ code: 3, said: `${EVENT} is being settled, then it goes\n` });
});

test('an event that has nothing to settle is deleted without a platform', async () => {
  const { state } = await storeEvent(join(dir, 'fresh'));
  expect(await runHere(deleteCommand(), [EVENT, '--state', state])).toMatchObject({
    code: 0,
    said: `${EVENT} is gone\n`,
  });
});

test('tokens for a sale of an address need the keys of its platform, and their folder is named', async () => {
  const run = await runHere(tokenCommand(around), [EVENT, '--url', url, '--state', nowhere]);
  expect(run.code).toBe(1);
  expect(run.complained).toBe(
    `seckill: There are no token keys in the folder ${nowhere}: name the folder of the platform that sells with --state.\n`,
  );
});

test('tokens for a sale of an address are not minted for a cluster that KUBECONFIG names', async () => {
  const run = await runHere(tokenCommand(around), [EVENT, '--url', 'http://127.0.0.1:1']);
  expect(run.complained).toContain('http://127.0.0.1:1/v1/events/shop/phone-x does not answer');
  const both = await runHere(tokenCommand(around), [EVENT, '--url', url, '--kubeconfig', 'x']);
  expect(both.code).toBe(2);
  expect(both.complained).toContain('--kubeconfig');
});
