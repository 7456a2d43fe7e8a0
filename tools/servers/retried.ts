import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from './errors.ts';
import { FETCH_PAUSES_MS } from './limits.ts';

/**
 * Fetches something from the network, which may fail for a moment: after each pause once more, and says so. What is
 * fetched must not mind what a failed attempt left. The last failure is thrown.
 */
export const retried = async <T>(
  report: (line: string) => void,
  what: string,
  attempt: () => Promise<T>,
  pausesMs: readonly number[] = FETCH_PAUSES_MS,
): Promise<T> => {
  for (const pauseMs of pausesMs) {
    try {
      return await attempt();
    } catch (error) {
      report(`${what} failed, once more in ${pauseMs / 1_000} s: ${messageOf(error)}`);
      await delay(pauseMs);
    }
  }
  return attempt();
};
