import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder } from '../servers/cache.ts';
import { findProgram, runCommand } from '../servers/command.ts';
import { setupError } from '../servers/errors.ts';
import type { ServerOptions } from '../servers/options.ts';
import { withProgress } from '../servers/progress.ts';
import { retried } from '../servers/retried.ts';
import { GO_BUILD_TIMEOUT_MS } from './limits.ts';
import { exclusively } from './lock.ts';

export interface GoProgram {
  /** The name of the file that is made. */
  name: string;
  /** Begins the name of its folder in the cache. */
  label: string;
  /** The folder of go.mod, go.sum and the sources, whose content is the key of the cache. */
  module: string;
  package: string;
  /** What the linker writes into variables: package path and name → value. */
  variables?: Record<string, string>;
  /** What a person is told who waits for it. */
  note: string;
  /** Called with the folder, before it takes its place in the cache. */
  finish?: (folder: string) => Promise<void>;
}

const goOf = async (options: ServerOptions, label: string): Promise<{ go: string; version: string }> => {
  const go = findProgram('go', options.searchPath);
  if (go === undefined) {
    throw setupError(
      `${label} is built from source once, which needs Go, and there is none on PATH: install Go 1.26 or later ` +
        '(https://go.dev/dl), or name the folder of kube-apiserver, etcd and kubectl by KUBEBUILDER_ASSETS.',
    );
  }
  const { stdout } = await runCommand(go, ['version']);
  return { go, version: stdout.trim() };
};

const keyOf = (program: GoProgram, goVersion: string): string => {
  const hash = createHash('sha256').update(JSON.stringify([goVersion, program.package, program.variables]));
  for (const name of readdirSync(program.module).toSorted()) hash.update(readFileSync(join(program.module, name)));
  return hash.digest('hex').slice(0, 8);
};

const build = async (go: string, program: GoProgram, folder: string): Promise<void> => {
  const variables = Object.entries(program.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  // Lets the kernel end the build when we are ended: it would go on for minutes for nobody.
  const setpriv = findProgram('setpriv', ['/usr/bin', '/bin']);
  const bound = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
  const environment = ['CGO_ENABLED=0', 'GOFLAGS=-buildvcs=false', 'GOWORK=off'];
  const args = ['build', '-trimpath', '-ldflags', ['-s', '-w', ...variables].join(' ')];
  const built = await runCommand(
    'env',
    [...environment, ...bound, go, ...args, '-o', join(folder, program.name), program.package],
    { cwd: program.module, timeoutMs: GO_BUILD_TIMEOUT_MS },
  );
  if (built.code === 0) return;
  throw setupError(`${program.label} could not be built: ${built.stderr.trim().split('\n').slice(-10).join('\n')}`);
};

/** The folder of the cache that holds the program, built the first time. Builds are reproducible, so the key is enough. */
export const goProgram = async (options: ServerOptions, program: GoProgram): Promise<string> => {
  const { go, version } = await goOf(options, program.label);
  const cacheFolder = options.cacheFolder();
  const name = `${program.label}-${process.arch}-${keyOf(program, version)}`;
  const folder = join(cacheFolder, name);
  if (existsSync(folder)) return folder;
  return exclusively(cacheFolder, name, options.report, () =>
    cachedFolder(cacheFolder, name, (partial) =>
      withProgress(options.report, `building ${program.label}`, program.note, async () => {
        // Go fetches the sources as it builds; what is there already is not made again.
        await retried(options.report, `building ${program.label}`, () => build(go, program, partial));
        await program.finish?.(partial);
      }),
    ),
  );
};
