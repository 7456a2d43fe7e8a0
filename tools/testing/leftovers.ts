import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 100;

export interface Leftover {
  pid: number;
  /** The command line. */
  command: string;
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended meanwhile, or belongs to another user: either way none of ours.
    return '';
  }
};

const workingFolder = (pid: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
};

/**
 * The processes that know the folder of a test run: by their working folder, arguments or environment. Everything that
 * tests start works in that folder or is told about it, so none can hide, however it was detached. Linux only: where
 * there is no /proc the answer is empty.
 */
export const leftoversOf = (folder: string): Leftover[] => {
  let pids: string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  } catch {
    return [];
  }
  return pids.flatMap((pid) => {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    // A zombie has no command line: it has ended, its parent has not looked yet.
    if (command === '') return [];
    const knows = [workingFolder(pid), command, read(`/proc/${pid}/environ`)].some((text) => text.includes(folder));
    return knows ? [{ pid: Number(pid), command }] : [];
  });
};

export const killLeftovers = (leftovers: readonly Leftover[]): void => {
  for (const { pid } of leftovers) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
};

/** Gives processes that are about to end the time for it, then answers those that stay. */
export const leftoversAfter = async (folder: string, graceMs: number): Promise<Leftover[]> => {
  const deadline = Date.now() + graceMs;
  for (;;) {
    const left = leftoversOf(folder);
    if (left.length === 0 || Date.now() >= deadline) return left;
    await delay(POLL_INTERVAL_MS);
  }
};
