import { setTimeout as delay } from 'node:timers/promises';
import { QUESTION_TIMEOUT_MS } from './limits.ts';
import { messageOf } from './message.ts';

export type Answer<T> = { value: T } | { value: undefined; why: string };

/** The answer, or why there is none: it failed, or did not come in time. For questions that may be left out. */
export async function within<T>(answer: Promise<T>): Promise<Answer<T>> {
  const late = new AbortController();
  const why = `no answer within ${QUESTION_TIMEOUT_MS / 1_000} s`;
  const timeout = delay(QUESTION_TIMEOUT_MS, { value: undefined, why }, { signal: late.signal });
  try {
    return await Promise.race([answer.then((value) => ({ value })), timeout]);
  } catch (error) {
    return { value: undefined, why: messageOf(error) };
  } finally {
    timeout.catch(() => {});
    late.abort();
  }
}
