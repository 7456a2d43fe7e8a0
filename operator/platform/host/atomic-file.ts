import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissing } from './versioned-record.ts';

/** Replaces the file in one step: a reader sees the old text or the new one, never a part. */
export async function writeAtomically(path: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await writeFile(temporary, text, { mode });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Writes only when the text differs. True when it wrote. */
export async function writeIfChanged(path: string, text: string, mode = 0o600): Promise<boolean> {
  if ((await readText(path)) === text) return false;
  await writeAtomically(path, text, mode);
  return true;
}

/** The file's text, or `undefined` when there is no file. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
