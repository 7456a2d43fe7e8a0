import { setTimeout as delay } from 'node:timers/promises';
import { QUESTION_TIMEOUT_MS } from '../limits.ts';

/** The answer of a server, or `undefined`: what was not answered in time is simply not shown. */
export async function answered<T>(question: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  const timeout = delay(QUESTION_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => undefined);
  return Promise.race([question.catch(() => undefined), timeout]).finally(() => late.abort());
}
