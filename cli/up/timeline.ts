import { setTimeout as delay } from 'node:timers/promises';
import type { StoredNotice } from '../../operator/platform/host/notices.ts';
import { readEventNotices } from '../../operator/platform/host/state.ts';
import { TIMELINE_POLL_MS } from './limits.ts';

/** Tells every notice that comes from now on, in order, until the signal. What cannot be read just now is told later. */
export async function followNotices(
  stateDir: string,
  tell: (notice: StoredNotice) => void,
  signal: AbortSignal,
): Promise<void> {
  const textOf = (notice: StoredNotice): string => JSON.stringify(notice);
  const told = new Set((await readEventNotices(stateDir)).map(textOf));
  while (!signal.aborted) {
    for (const notice of await readEventNotices(stateDir)) {
      const text = textOf(notice);
      if (told.has(text)) continue;
      told.add(text);
      tell(notice);
    }
    await delay(TIMELINE_POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/** `12:00:00.012  shop/phone-x  Open: The window is open and units are left.` */
export function noticeLine({ atMs, event, reason, message }: StoredNotice): string {
  return `${new Date(atMs).toISOString().slice(11, 23)}  ${event}  ${reason}: ${message}`;
}
