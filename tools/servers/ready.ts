import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, setupError } from './errors.ts';

export interface ReadyOptions {
  /** Unix milliseconds after which waiting ends with an error. */
  deadlineMs: number;
  /** Ends the waiting early, with its reason: the process died. */
  signal?: AbortSignal;
}

/** What a probe found: it is ours and answers; nothing that we could talk to yet; or somebody else is there. */
export type Probe = { status: 'ready' } | { status: 'waiting'; why: string } | { status: 'foreign'; who: string };

/** Asks again and again until the server is ready. Somebody else's server on our port ends it at once. */
export const waitUntilReady = async (
  name: string,
  probe: () => Promise<Probe>,
  intervalMs: number,
  { deadlineMs, signal }: ReadyOptions,
): Promise<void> => {
  let why = 'it was not asked';
  do {
    signal?.throwIfAborted();
    const answer = await probe().catch((error: unknown): Probe => ({ status: 'waiting', why: messageOf(error) }));
    if (answer.status === 'ready') return;
    if (answer.status === 'foreign') {
      throw setupError(`${name}: another server answers on the port that was chosen (${answer.who}).`);
    }
    why = answer.why;
    await delay(intervalMs);
  } while (Date.now() < deadlineMs);
  signal?.throwIfAborted();
  throw setupError(`${name} did not answer in time (${why}).`);
};
