import { existsSync } from 'node:fs';
import { writeAtomically } from '../../operator/platform/host/atomic-file.ts';
import { newTokenKeys } from '../../services/kit/token-keys.ts';

/** The key that signs admission tokens, made once for a folder. */
export async function provideTokenKeys(file: string): Promise<void> {
  if (!existsSync(file)) await writeAtomically(file, newTokenKeys());
}
