import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setupError } from '../servers/errors.ts';
import { LOCK_POLL_INTERVAL_MS, LOCK_WAIT_TIMEOUT_MS } from './limits.ts';

const isAlive = (pid: number): boolean => {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

const take = async (file: string): Promise<boolean> => {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
};

/** Puts away the lock of a process that is gone. Of two who try, the second finds nothing to rename. */
const breakStale = async (file: string): Promise<void> => {
  const owner = Number(await readFile(file, 'utf8').catch(() => ''));
  // An empty file may have been made a moment ago by somebody who is about to write his pid into it.
  if (owner === 0 || isAlive(owner)) return;
  const aside = `${file}.${process.pid}`;
  await rename(file, aside).catch(() => {});
  await rm(aside, { force: true });
};

/**
 * Does the work while nobody else on this machine does work of that name, so that two test files at once do not both
 * spend minutes and gigabytes on the same build. Not a fence: the work must bear being done twice.
 */
export const exclusively = async <T>(
  folder: string,
  name: string,
  report: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> => {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name}.lock`);
  const deadlineMs = Date.now() + LOCK_WAIT_TIMEOUT_MS;
  for (let waits = 0; !(await take(file)); waits += 1) {
    if (waits === 0) report(`waiting for another process that is making ${name}`);
    if (Date.now() > deadlineMs) throw setupError(`${file} stays locked: remove it if nothing is being built.`);
    await breakStale(file);
    await delay(LOCK_POLL_INTERVAL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
};
