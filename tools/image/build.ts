import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedFolder } from '../servers/cache.ts';
import { findProgram, runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import type { ServerOptions } from '../servers/options.ts';
import { withProgress } from '../servers/progress.ts';
import { retried } from '../servers/retried.ts';
import { fillPackages, fillSources } from './app-layer.ts';
import { type Layer, packLayer, writeArchive } from './archive.ts';
import { imageConfig } from './contents.ts';
import { NPM_CI_TIMEOUT_MS } from './limits.ts';
import { fillSystem } from './system-layer.ts';

const repository = join(import.meta.dirname, '../..');

export interface BuildImageOptions {
  /** The reference without its tag, such as `registry.local/seckill`. */
  name: string;
  /** The same image under each of them, but for the label that says its version. */
  tags: readonly string[];
  outFile: string;
}

/** Where the packages of production are; in the cache, since the repository's own folder has the developer's as well. */
const installPackages = async (folder: string): Promise<void> => {
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
    await copyFile(join(repository, name), join(folder, name));
  }
  // Optional ones are omitted too: the only one is the Node that the developer's scripts run on.
  const args = [
    'ci',
    '--omit=dev',
    '--omit=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { code, stderr } = await runCommand('npm', args, { cwd: folder, timeoutMs: NPM_CI_TIMEOUT_MS });
  if (code !== 0) throw setupError(`npm could not install the packages of the image: ${stderr.trim()}`);
};

/** What the seldom changing layer is made of, and by: when none of it changed, neither did the layer. */
const baseKey = async (node: string, debianRoot: string): Promise<string> => {
  const hash = createHash('sha256').update(JSON.stringify([process.arch, debianRoot]));
  const makers = readdirSync(import.meta.dirname).filter((name) => !['build.ts', 'main.ts'].includes(name));
  for (const name of makers.toSorted()) hash.update(readFileSync(join(import.meta.dirname, name)));
  for (const file of [join(repository, 'package-lock.json'), node]) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
};

const fillBase = async (options: ServerOptions, node: string, folder: string): Promise<void> => {
  const debian = await options.debian();
  const root = join(folder, 'root');
  const staging = await mkdtemp(join(folder, 'npm-'));
  await retried(options.report, 'installing the packages of the image', () => installPackages(staging));
  await fillSystem(root, { node, debianRoot: debian.root, libraryPath: debian.env.LD_LIBRARY_PATH });
  await fillPackages(root, join(staging, 'node_modules'));
  const { digest } = await packLayer(root, join(folder, 'layer.tar'));
  await writeFile(join(folder, 'digest'), digest);
  for (const made of [root, staging]) await rm(made, { recursive: true, force: true });
};

const baseLayer = async (options: ServerOptions): Promise<Layer> => {
  const lacking = ['npm', 'tar', 'ldd'].filter((name) => findProgram(name, options.searchPath) === undefined);
  if (lacking.length > 0) throw setupError(`The image is built with ${lacking.join(', ')}: not on PATH; install it.`);
  // The Node that runs this is the one that the packages bring along, and the one that the tests ran on.
  const node = process.execPath;
  const name = `image-base-${await baseKey(node, (await options.debian()).root)}`;
  const known = existsSync(join(options.cacheFolder(), name));
  const fill = (folder: string) => fillBase(options, node, folder);
  const folder = known
    ? join(options.cacheFolder(), name)
    : await cachedFolder(options.cacheFolder(), name, (partial) =>
        withProgress(options.report, 'building the base of the image', 'once for each package-lock.json', () =>
          fill(partial),
        ),
      );
  return { file: join(folder, 'layer.tar'), digest: readFileSync(join(folder, 'digest'), 'utf8') };
};

/** Puts the part of the image that changes seldom into the cache: what takes long about the first build. */
export const prepareImage = async (options: ServerOptions): Promise<void> => {
  await baseLayer(options);
};

/**
 * Builds the image without Docker, with the same code that the Dockerfile runs: Debian's nginx and the libraries from
 * the cache of the servers, Node and the packages from npm, and the repository as it lies here.
 * Writes a tar file for `docker load` or `ctr --namespace k8s.io images import`.
 */
export const buildImage = async (options: ServerOptions, image: BuildImageOptions): Promise<void> => {
  const base = await baseLayer(options);
  const folder = await mkdtemp(join(tmpdir(), 'seckill-image-'));
  try {
    await fillSources(join(folder, 'root'), repository);
    const app = await packLayer(join(folder, 'root'), join(folder, 'app.tar'));
    const { name, tags, outFile } = image;
    const images = tags.map((tag) => ({ reference: `${name}:${tag}`, config: imageConfig(tag) }));
    await writeArchive({ images, layers: [base, app], outFile });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
