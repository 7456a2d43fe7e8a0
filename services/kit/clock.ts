/** Where time comes from. Only a main.ts passes the real one; everything else is given a clock. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds since some moment, by a clock that nobody sets: for ages and waits. */
  monotonicMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
