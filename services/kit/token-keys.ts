import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { TokenKeys } from '../domain/admission-token.ts';
import { SeckillError } from '../domain/errors.ts';
import { TOKEN_KEY_MIN_BYTES, TOKEN_KEYS_MAX, TOKEN_KEYS_POLL_MS } from './limits.ts';
import type { Log } from './log.ts';

/** The keys that are in force now. They change when the file does, without a restart. */
export interface TokenKeySource {
  current(): TokenKeys;
  close(): void;
}

/**
 * Reads `{ "current": "k2", "keys": { "k1": "BASE64", "k2": "BASE64" } }` and follows the file: by its path, so that a
 * file that is replaced and a mounted Secret are followed too. A later file that cannot be read changes nothing.
 * Throws SECKILL_ERR_CONFIG when the first one cannot.
 */
export function openTokenKeys({ path, log }: { path: string; log: Log }): TokenKeySource {
  let keys = readTokenKeys(path);
  const onChange = (): void => {
    try {
      keys = readTokenKeys(path);
      log.info({ keyIds: Object.keys(keys.keys), current: keys.current }, 'token keys read again');
    } catch (error) {
      log.error({ err: error }, 'the token keys could not be read again: the former ones stay');
    }
  };
  watchFile(path, { interval: TOKEN_KEYS_POLL_MS, persistent: false }, onChange);
  return {
    current: () => keys,
    close: () => unwatchFile(path, onChange),
  };
}

/** The text of a file with one new key. */
export function newTokenKeys(): string {
  const keys = { current: 'k1', keys: { k1: randomBytes(TOKEN_KEY_MIN_BYTES).toString('base64') } };
  return `${JSON.stringify(keys, null, 2)}\n`;
}

/** The keys of a file, or SECKILL_ERR_CONFIG with a sentence that says what is wrong, and no key in it. */
export function readTokenKeys(path: string): TokenKeys {
  const from = `SECKILL_TOKEN_KEYS_FILE: ${path}`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrongKeys(`${from} cannot be read`, error);
  }
  return parseTokenKeys(text, from);
}

function wrongKeys(sentence: string, cause?: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_CONFIG', `${sentence}.`, { cause });
}

/** The same of a text; `from` begins the sentence that says what is wrong with it. */
export function parseTokenKeys(json: string, from: string): TokenKeys {
  const wrong = (what: string): SeckillError => wrongKeys(`${from} ${what}`);
  const data = jsonOf(json);
  if (data === undefined) throw wrong('is not JSON');
  const { current, keys: texts } = (data ?? {}) as { current?: unknown; keys?: unknown };
  if (typeof current !== 'string' || typeof texts !== 'object' || texts === null) {
    throw wrong('must hold { "current": KEY_ID, "keys": { KEY_ID: BASE64 } }');
  }
  const entries = Object.entries(texts);
  if (entries.length > TOKEN_KEYS_MAX) throw wrong(`must hold at most ${TOKEN_KEYS_MAX} keys`);
  const keys: Record<string, KeyObject> = {};
  for (const [id, text] of entries) {
    const key = typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0);
    if (!/^[A-Za-z0-9._-]{1,32}$/.test(id)) throw wrong('names a key by something else than 1 to 32 letters or digits');
    if (key.length < TOKEN_KEY_MIN_BYTES) throw wrong(`has a key "${id}" of less than ${TOKEN_KEY_MIN_BYTES} bytes`);
    keys[id] = createSecretKey(key);
  }
  if (!Object.hasOwn(keys, current)) throw wrong(`says that "${current}" is current, but has no such key`);
  return { current, keys };
}

/** `undefined` for what is no JSON. The error is not kept: it quotes the text, and the text is a secret. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
