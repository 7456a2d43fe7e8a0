/** Where time comes from. Only a main.ts passes the real one; everything else is given a clock. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };
