import { appendFile } from 'node:fs/promises';
import type { Clock } from '../../../services/kit/clock.ts';
import type { Notice, Notices } from '../platform.ts';
import { readText, writeAtomically } from './atomic-file.ts';
import { NOTICE_REPEAT_MS, NOTICES_KEEP_MAX } from './limits.ts';

export interface StoredNotice extends Notice {
  /** Milliseconds since 1970. */
  atMs: number;
}

/** Notices as lines of a file, the oldest ones dropped when it has grown to twice what is kept. */
export function createHostNotices({ file, clock }: { file: string; clock: Clock }): Notices {
  const recent = new Map<string, number>();
  let writing: Promise<void> = Promise.resolve();
  let lines: number | undefined;

  async function append(notice: StoredNotice): Promise<void> {
    lines ??= (await readNotices(file)).length;
    await appendFile(file, `${JSON.stringify(notice)}\n`, { mode: 0o600 });
    lines += 1;
    if (lines < 2 * NOTICES_KEEP_MAX) return;
    const kept = (await readNotices(file)).slice(-NOTICES_KEEP_MAX);
    await writeAtomically(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
    lines = kept.length;
  }

  return {
    async publish(notice) {
      const atMs = clock.nowMs();
      const key = JSON.stringify([notice.event, notice.reason, notice.message]);
      const before = recent.get(key);
      if (before !== undefined && atMs - before < NOTICE_REPEAT_MS) return;
      for (const [old, when] of recent) if (atMs - when >= NOTICE_REPEAT_MS) recent.delete(old);
      recent.set(key, atMs);
      writing = writing.catch(() => {}).then(() => append({ ...notice, atMs }));
      await writing;
    },
  };
}

/** All notices that are kept, the oldest first. A line that was cut by a kill is left out. */
export async function readNotices(file: string): Promise<StoredNotice[]> {
  const text = (await readText(file)) ?? '';
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as StoredNotice];
    } catch {
      return [];
    }
  });
}
