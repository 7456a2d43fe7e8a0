/** When buyers come: all at once, or one after the other at a constant rate. The server has no say in it. */
export type Arrivals = { kind: 'burst' } | { kind: 'rate'; perSecond: number };

/** Milliseconds after the start at which the buyer of this index (from 0) is meant to send his first request. */
export function arrivalMs(arrivals: Arrivals, index: number): number {
  return arrivals.kind === 'burst' ? 0 : (index * 1_000) / arrivals.perSecond;
}
