import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeAtomically } from '../../operator/platform/host/atomic-file.ts';
import { TOKEN_KEY_MIN_BYTES } from '../../services/kit/limits.ts';

/** The key that signs admission tokens, made once for a folder. */
export async function provideTokenKeys(file: string): Promise<void> {
  if (existsSync(file)) return;
  const keys = { current: 'k1', keys: { k1: randomBytes(TOKEN_KEY_MIN_BYTES).toString('base64') } };
  await writeAtomically(file, `${JSON.stringify(keys, null, 2)}\n`);
}
