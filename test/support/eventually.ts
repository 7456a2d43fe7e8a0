import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 10;
/** Long, because it only ends what would fail anyway: a busy machine may need many seconds to start a process. */
const DEADLINE_MS = 60_000;

export interface EventuallyOptions {
  /** How long to keep asking, in milliseconds from now. */
  deadlineMs?: number;
  intervalMs?: number;
}

/**
 * Calls `attempt` until it neither throws nor answers false, and gives its answer. At the deadline the last failure is
 * thrown, so that the expectation which never held is what the report shows.
 */
export const eventually = async <T>(attempt: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> => {
  const deadline = Date.now() + (options.deadlineMs ?? DEADLINE_MS);
  for (;;) {
    let failure: unknown;
    try {
      const answer = await attempt();
      if (answer !== false) return answer;
      failure = new Error('eventually: the condition never became true');
    } catch (error) {
      failure = error;
    }
    if (Date.now() >= deadline) throw failure;
    await delay(options.intervalMs ?? POLL_INTERVAL_MS);
  }
};
