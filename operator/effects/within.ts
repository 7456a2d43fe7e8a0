import { setTimeout as delay } from 'node:timers/promises';
import { QUESTION_TIMEOUT_MS } from './limits.ts';

/** The answer, or `undefined` when it failed or did not come in time: for questions whose answer may be left out. */
export async function within<T>(answer: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  const timeout = delay(QUESTION_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => undefined);
  try {
    return await Promise.race([answer, timeout]);
  } catch {
    return undefined;
  } finally {
    late.abort();
  }
}
