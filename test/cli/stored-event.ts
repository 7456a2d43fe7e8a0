import { join } from 'node:path';
import { provideTokenKeys } from '../../cli/up/token-keys.ts';
import { parseManifests } from '../../operator/api/manifest-text.ts';
import { createObjectStore, type ObjectStore } from '../../operator/platform/host/object-store.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { aStatus, plainManifest } from '../operator/manifests.ts';

export const EVENT = 'shop/phone-x';

/** A state folder as a platform leaves it that knew of one event: commands read it although nothing runs. */
export async function storeEvent(dir: string): Promise<{
  state: string;
  store: ObjectStore;
  uid: string;
  setReady(ready: number): Promise<unknown>;
}> {
  const state = join(dir, 'state');
  const folder = stateFolder(state);
  const store = createObjectStore(folder.events);
  const [manifest] = parseManifests(JSON.stringify(plainManifest())).events;
  if (manifest === undefined) throw new Error('the plain manifest is no event');
  await store.apply(manifest, Date.now());
  const uid = (await store.get(EVENT))?.metadata.uid ?? '';
  const setReady = (ready: number): Promise<unknown> =>
    store.putStatus(EVENT, uid, aStatus({ eventId: 'shop.phone-x.2', phase: 'Open', pods: { ready, wanted: 2 } }));
  await setReady(0);
  await provideTokenKeys(folder.tokenKeys);
  return { state, store, uid, setReady };
}
