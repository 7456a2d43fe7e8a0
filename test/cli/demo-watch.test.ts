import { afterEach, expect, test } from 'vitest';
import { type Watch, watchEvent } from '../../cli/demo/watch.ts';
import { aStatus } from '../operator/manifests.ts';
import { tempDir } from '../support/temp-dir.ts';
import { storeEvent } from './stored-event.ts';

const root = tempDir();
const open: Watch[] = [];

afterEach(async () => {
  for (const watch of open.splice(0)) await watch.stop();
});

const watchIt = (stateDir: string): Watch => {
  const event = { namespace: 'shop', name: 'phone-x' };
  const watch = watchEvent({ stateDir, event, signal: new AbortController().signal, onPhase: () => undefined });
  open.push(watch);
  return watch;
};

test('a sale that does not get there in time is told of in the words of the operator, and the demo may go on', async () => {
  const { state, store, uid } = await storeEvent(root);
  await store.putStatus('shop/phone-x', uid, aStatus({ phase: 'Closing', message: 'One hold is no order yet.' }));
  const watch = watchIt(state);
  const settled = await watch.reach('settled', ({ phase }) => phase === 'Settled', 500);
  expect(settled).toEqual({ late: 'The sale was not settled within 0.5 s. Closing: One hold is no order yet.' });
  expect(await watch.reach('closing', ({ phase }) => phase === 'Closing', 500)).toHaveProperty(
    'status.phase',
    'Closing',
  );
});

test('a sale that failed is not waited for, and the demo ends with what the operator says', async () => {
  const { state, store, uid } = await storeEvent(root);
  const checks = [{ name: 'RedisAof', blocking: true, passed: false, message: 'appendonly is no' }];
  await store.putStatus('shop/phone-x', uid, aStatus({ phase: 'Failed', message: 'The window passed.', checks }));
  await expect(watchIt(state).until('armed', () => false, 90_000)).rejects.toThrow(
    'The sale failed before it was armed. Failed: The window passed.\n  RedisAof: appendonly is no',
  );
});
