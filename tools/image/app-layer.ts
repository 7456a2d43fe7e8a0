import { copyFile, cp, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { APP_FOLDER, LEFT_OUT, RUNTIME_FOLDERS } from './contents.ts';

/** Copies the packages of production: everything but what only takes room. */
export const fillPackages = async (root: string, nodeModules: string): Promise<void> => {
  const target = join(root, APP_FOLDER, 'node_modules');
  await cp(nodeModules, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !LEFT_OUT.test(path) && basename(path) !== '.package-lock.json',
  });
};

/** Copies the platform itself, as it is: Node runs the sources. */
export const fillSources = async (root: string, repository: string): Promise<void> => {
  const app = join(root, APP_FOLDER);
  for (const folder of RUNTIME_FOLDERS) {
    await mkdir(dirname(join(app, folder)), { recursive: true });
    await cp(join(repository, folder), join(app, folder), { recursive: true, filter: (path) => !LEFT_OUT.test(path) });
  }
  await copyFile(join(repository, 'package.json'), join(app, 'package.json'));
};
