import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, setupError } from './errors.ts';

const partialPrefix = '.partial-';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** What interrupted runs left behind, told by the pid in the name. */
const removeLeftovers = async (cacheFolder: string): Promise<void> => {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(partialPrefix)) continue;
    const pid = Number(name.slice(name.lastIndexOf('-') + 1));
    if (!isAlive(pid)) await rm(join(cacheFolder, name), { recursive: true, force: true });
  }
};

/**
 * A folder of the cache, filled the first time. It is filled under another name and renamed when it is whole, so that a
 * folder that exists is complete, and of two runs at once one wins and the other takes the winner's.
 */
export const cachedFolder = async (
  cacheFolder: string,
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> => {
  const folder = join(cacheFolder, name);
  if (existsSync(folder)) return folder;
  const partial = join(cacheFolder, `${partialPrefix}${name}-${process.pid}`);
  try {
    await mkdir(cacheFolder, { recursive: true });
    await removeLeftovers(cacheFolder);
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
  } catch (error) {
    throw setupError(
      `The folder for downloads, ${cacheFolder}, cannot be written (${messageOf(error)}): ` +
        'set XDG_CACHE_HOME to a folder that you can write to.',
      error,
    );
  }
  try {
    await fill(partial);
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
};
