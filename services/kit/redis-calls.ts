import type { Metrics } from './metrics.ts';

/** Told of each call of Redis: which, how long it took, and what went wrong, in a word. */
export type CallObserver = (call: string, seconds: number, error: string | undefined) => void;

/** Calls that have a series of their own; all others are `other`. */
const NAMED: readonly string[] = ['reserve', 'commit', 'release', 'snapshot', 'lookup', 'journal', 'registry'];

/** `named`: a process that has better use for its series tells fewer calls apart. */
export function observeRedis(metrics: Metrics, named: readonly string[] = NAMED): CallObserver {
  const seconds = metrics.histogram('redisCallSeconds');
  const errors = metrics.tally('redisErrors');
  const own = new Set(named);
  return (call, took, error) => {
    const name = own.has(call) ? call : 'other';
    if (error === undefined) seconds.observe(took, name);
    else errors.cell(name, error).count += 1;
  };
}
