import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CLUSTER_NAME } from './place.ts';

/** Where the hierarchies are mounted: with cgroup v1 one for each controller (and often an empty v2), else one. */
const hierarchies = async (): Promise<string[]> => {
  const rows = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const mounts = rows.filter(([, , kind]) => kind === 'cgroup' || kind === 'cgroup2');
  return [...new Set(mounts.map(([, folder]) => folder ?? ''))];
};

/** Makes the cluster's own root in each hierarchy, so that nothing of it is beside the machine's own groups. */
export const makeCgroups = async (): Promise<void> => {
  for (const hierarchy of await hierarchies()) {
    const own = join(hierarchy, CLUSTER_NAME);
    await mkdir(own, { recursive: true });
    if (basename(hierarchy) !== 'cpuset') continue;
    // A new group of this controller has no processors and no memory until it is told, and takes no process before.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(join(own, file), await readFile(join(hierarchy, file)));
    }
  }
};

/** Those of the cluster that exist. */
export const cgroupsLeft = async (): Promise<string[]> =>
  (await hierarchies()).map((hierarchy) => join(hierarchy, CLUSTER_NAME)).filter((folder) => existsSync(folder));

const removeTree = async (folder: string): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  }
  await rmdir(folder);
};

/** Removes what is left of them; answers those that the kernel still holds. */
export const removeCgroups = async (): Promise<string[]> => {
  const left: string[] = [];
  for (const hierarchy of await hierarchies()) {
    const own = join(hierarchy, CLUSTER_NAME);
    try {
      await removeTree(own);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) left.push(own);
    }
  }
  return left;
};
