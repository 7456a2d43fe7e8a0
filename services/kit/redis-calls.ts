import type { Metrics } from './metrics.ts';

/** Told of each call of Redis: which, how long it took, and what went wrong, in a word. */
export type CallObserver = (call: string, seconds: number, error: string | undefined) => void;

/** Calls that have a series of their own; all others are `other`, which keeps the series of an operator few. */
const NAMED: ReadonlySet<string> = new Set([
  'reserve',
  'commit',
  'release',
  'snapshot',
  'lookup',
  'journal',
  'registry',
]);

export function observeRedis(metrics: Metrics): CallObserver {
  const seconds = metrics.histogram('redisCallSeconds');
  const errors = metrics.tally('redisErrors');
  return (call, took, error) => {
    const name = NAMED.has(call) ? call : 'other';
    if (error === undefined) seconds.observe(took, name);
    else errors.cell(name, error).count += 1;
  };
}
