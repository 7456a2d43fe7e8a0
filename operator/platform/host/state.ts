import type { SeckillEvent } from '../../api/seckill-event.ts';
import { readText } from './atomic-file.ts';
import type { Endpoints } from './endpoints.ts';
import { readNotices, type StoredNotice } from './notices.ts';
import { createObjectStore } from './object-store.ts';
import { listRecords, livingProcess } from './process-record.ts';
import { stateFolder } from './state-folder.ts';

/** What other commands read from the folder of a platform on this machine, running or not. */

/** `undefined`: no platform has run on this folder yet, or it was stopped in order. */
export async function readEndpoints(stateDir: string): Promise<Endpoints | undefined> {
  const text = await readText(stateFolder(stateDir).endpoints);
  return text === undefined ? undefined : (JSON.parse(text) as Endpoints);
}

/** Whether an operator of this folder lives. Without one nothing of what is read here changes any more. */
export async function operatorLives(stateDir: string): Promise<boolean> {
  const records = await listRecords(stateFolder(stateDir).processes);
  return records.some(({ value }) => value.role === 'operator' && livingProcess(value) !== undefined);
}

/** All events with their status, sorted by namespace and name. */
export function readEvents(stateDir: string): Promise<SeckillEvent[]> {
  return createObjectStore(stateFolder(stateDir).events).list();
}

/** Notices of one event (`namespace/name`), or of all, the oldest first. */
export async function readEventNotices(stateDir: string, key?: string): Promise<StoredNotice[]> {
  const notices = await readNotices(stateFolder(stateDir).notices);
  return key === undefined ? notices : notices.filter(({ event }) => event === key);
}
