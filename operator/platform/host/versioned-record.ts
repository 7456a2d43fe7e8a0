import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RECORD_VERSIONS_KEPT } from './limits.ts';

/**
 * A record in a folder, changed by compare-and-set among any number of processes, with no lock that a killed process
 * could leave behind. Version N is the file `N.json`; the newest one counts. `link` makes the next version, and fails
 * when somebody else made it first. Versions are swept when they are RECORD_VERSIONS_KEPT behind the newest: a writer
 * that slept so long that the version after the one it saw is swept already finds itself that far behind, and knows.
 */
export interface Versioned<T> {
  version: number;
  value: T;
}

const VERSION_FILE = /^(\d{12})\.json$/;
const nameOf = (version: number): string => `${String(version).padStart(12, '0')}.json`;

/** The newest version, or `undefined` when there is none. */
export async function readRecord<T>(folder: string): Promise<Versioned<T> | undefined> {
  for (;;) {
    const newest = await newestVersion(folder);
    if (newest === 0) return undefined;
    try {
      return { version: newest, value: JSON.parse(await readFile(join(folder, nameOf(newest)), 'utf8')) as T };
    } catch (error) {
      // A newer version came and swept this one between the two calls: look again.
      if (!isMissing(error)) throw error;
    }
  }
}

/** Writes the version after `seen` (0: there is none yet). `undefined`: somebody else was faster. */
export async function writeRecord<T>(folder: string, seen: number, value: T): Promise<Versioned<T> | undefined> {
  await mkdir(folder, { recursive: true });
  const version = seen + 1;
  const temporary = join(folder, `.${randomUUID()}`);
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  try {
    await link(temporary, join(folder, nameOf(version)));
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const newest = await newestVersion(folder);
  if (newest - version >= RECORD_VERSIONS_KEPT) return undefined;
  await sweep(folder, newest);
  return { version, value };
}

async function newestVersion(folder: string): Promise<number> {
  return (await versions(folder)).reduce((newest, version) => Math.max(newest, version), 0);
}

async function versions(folder: string): Promise<number[]> {
  try {
    return (await readdir(folder)).flatMap((name) => {
      const digits = VERSION_FILE.exec(name)?.[1];
      return digits === undefined ? [] : [Number(digits)];
    });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function sweep(folder: string, newest: number): Promise<void> {
  for (const version of await versions(folder)) {
    if (newest - version >= RECORD_VERSIONS_KEPT) await rm(join(folder, nameOf(version)), { force: true });
  }
}

export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
