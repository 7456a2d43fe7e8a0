import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A new folder, removed after the tests of this file or `describe`. Call it at the top level. */
export const tempDir = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'seckill-test-')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
