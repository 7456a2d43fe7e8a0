import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TIMELINE_POLL_MS } from '../../cli/up/limits.ts';
import { followNotices } from '../../cli/up/timeline.ts';
import { createHostNotices } from '../../operator/platform/host/notices.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';

const dir = tempDir();
const file = stateFolder(dir).notices;
const notices = createHostNotices({ file, clock: systemClock });
const publish = (message: string): Promise<void> =>
  notices.publish({ event: 'shop/phone-x', kind: 'Normal', reason: 'Open', message });

test('the timeline tells each new notice once, in order, and outlives a file that cannot be read', async () => {
  await publish('before');
  const told: string[] = [];
  const over = new AbortController();
  const following = followNotices(dir, ({ message }) => void told.push(message), over.signal);
  // It begins with what is there when it first looks.
  await eventually(async () => {
    await publish(`word ${performance.now()}`);
    expect(told.length).toBeGreaterThan(0);
  });
  await publish('first');
  await eventually(() => expect(told.at(-1)).toBe('first'));
  renameSync(file, `${file}.aside`);
  mkdirSync(file);
  await pause(2 * TIMELINE_POLL_MS);
  rmSync(file, { recursive: true });
  renameSync(`${file}.aside`, file);
  await publish('second');
  await eventually(() => expect(told.at(-1)).toBe('second'));
  over.abort();
  await following;
  expect(told).not.toContain('before');
  expect(new Set(told).size).toBe(told.length);
});
