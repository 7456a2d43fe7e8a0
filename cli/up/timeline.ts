import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { StoredNotice } from '../../operator/platform/host/notices.ts';
import { readEventNotices } from '../../operator/platform/host/state.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { TIMELINE_POLL_MS } from './limits.ts';

/** Tells every notice that comes from now on, in order, until the signal. What cannot be read just now is told later. */
export async function followNotices(
  stateDir: string,
  tell: (notice: StoredNotice) => void,
  signal: AbortSignal,
): Promise<void> {
  const { notices: file } = stateFolder(stateDir);
  const textOf = (notice: StoredNotice): string => JSON.stringify(notice);
  /** Those of the file as it was read last: what was dropped from it since does not come again. */
  let told: Set<string> | undefined;
  let seen: string | undefined;

  async function look(): Promise<void> {
    const stamp = await stampOf(file);
    if (stamp === seen) return;
    const notices = await readEventNotices(stateDir);
    const before = told;
    told = new Set(notices.map(textOf));
    seen = stamp;
    if (before === undefined) return;
    for (const notice of notices) if (!before.has(textOf(notice))) tell(notice);
  }

  while (!signal.aborted) {
    await look().catch(() => undefined);
    await delay(TIMELINE_POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/** Another one after each change of the file, which is a few thousand lines long and seldom changes. */
async function stampOf(file: string): Promise<string> {
  return stat(file).then(
    ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
    () => '',
  );
}

/** `12:00:00.012  shop/phone-x  Open: The window is open and units are left.` */
export function noticeLine({ atMs, event, reason, message }: StoredNotice): string {
  return `${new Date(atMs).toISOString().slice(11, 23)}  ${event}  ${reason}: ${message}`;
}
