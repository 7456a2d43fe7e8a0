import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import { TAR_TIMEOUT_MS } from './limits.ts';

/** A layer of an image: a tar file and its SHA-256. */
export interface Layer {
  file: string;
  digest: string;
}

const EPOCH = '1970-01-01T00:00:00Z';

/** The same files give the same bytes: no times, no owners, no umask of the machine that made them. */
const REPRODUCIBLE = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

const tar = async (args: readonly string[]): Promise<void> => {
  const { code, stderr } = await runCommand('tar', args, { timeoutMs: TAR_TIMEOUT_MS });
  if (code !== 0) throw setupError(`The image could not be packed: ${stderr.trim()}`);
};

const digestOf = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

/** Packs a folder as a layer. All may read what is in it and only root may write, except in `/tmp`. */
export const packLayer = async (folder: string, file: string): Promise<Layer> => {
  await tar([...REPRODUCIBLE, '--mode=u+rwX,go+rX,go-w', '--exclude=./tmp', '-C', folder, '-cf', file, '.']);
  if (existsSync(join(folder, 'tmp'))) {
    await tar([...REPRODUCIBLE, '--mode=1777', '-C', folder, '-rf', file, './tmp']);
  }
  return { file, digest: await digestOf(file) };
};

/** One image of an archive. All of them are made of the same layers. */
interface NamedConfig {
  /** `name:tag`, what the image is called after an import. */
  reference: string;
  /** User, Entrypoint, Env and so on, as the Docker image specification names them. */
  config: object;
}

export interface ImageArchive {
  images: readonly NamedConfig[];
  layers: readonly Layer[];
  outFile: string;
}

/** Writes the tar file that `docker load` and `ctr images import` take. */
export const writeArchive = async ({ images, layers, outFile }: ImageArchive): Promise<void> => {
  const target = resolve(outFile);
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(join(dirname(target), '.image-'));
  try {
    const names = layers.map(({ digest }) => `${digest}.tar`);
    for (const [index, layer] of layers.entries()) await symlink(resolve(layer.file), join(folder, names[index] ?? ''));
    const common = {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: EPOCH,
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
      history: layers.map(() => ({ created: EPOCH })),
    };
    const configs = images.map((_, index) => (index === 0 ? 'config.json' : `config-${index}.json`));
    for (const [index, { config }] of images.entries()) {
      await writeFile(join(folder, configs[index] ?? ''), JSON.stringify({ ...common, config }));
    }
    const manifest = images.map(({ reference }, index) => ({
      Config: configs[index],
      RepoTags: [reference],
      Layers: names,
    }));
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const partial = join(folder, basename(target));
    const files = ['manifest.json', ...configs, ...names];
    await tar([...REPRODUCIBLE, '--dereference', '-C', folder, '-cf', partial, ...files]);
    await rename(partial, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
