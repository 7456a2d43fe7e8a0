import { PEAK_SHOWN_AT_LEAST_SECONDS, PEAK_SLOTS_PER_SECOND } from './limits.ts';

/**
 * The most that happened in any one second. A sale can be over in two seconds, of which an average over a scrape
 * interval tells little. The second may begin at any tenth of a clock's second.
 */
export interface Peak {
  add(nowMs: number): void;
  /**
   * Since it was last read, and at least of the last 5 s: of two scrapers that both come within that time each sees
   * every peak. Where they come less often, one may take a peak from the other.
   */
  read(nowMs: number): number;
}

const SLOT_MS = 1_000 / PEAK_SLOTS_PER_SECOND;
const SLOTS_KEPT = PEAK_SHOWN_AT_LEAST_SECONDS * PEAK_SLOTS_PER_SECOND;

export function createPeak(): Peak {
  // Of each slot its own count, and the sum over the second that ended with it.
  const counts = new Array<number>(PEAK_SLOTS_PER_SECOND).fill(0);
  const sums = new Array<number>(SLOTS_KEPT).fill(0);
  let slot = 0;
  let inSecond = 0;
  let sinceRead = 0;

  function advance(nowMs: number): void {
    const now = Math.floor(nowMs / SLOT_MS);
    if (now - slot > SLOTS_KEPT) {
      // After a long silence everything that is kept is over.
      counts.fill(0);
      sums.fill(0);
      inSecond = 0;
      slot = now;
    }
    while (slot < now) {
      sums[slot % SLOTS_KEPT] = inSecond;
      slot += 1;
      const leaving = slot % PEAK_SLOTS_PER_SECOND;
      inSecond -= counts[leaving] as number;
      counts[leaving] = 0;
    }
  }

  return {
    add(nowMs) {
      if (nowMs >= (slot + 1) * SLOT_MS) advance(nowMs);
      const index = slot % PEAK_SLOTS_PER_SECOND;
      counts[index] = (counts[index] as number) + 1;
      inSecond += 1;
      if (inSecond > sinceRead) sinceRead = inSecond;
    },
    read(nowMs) {
      advance(nowMs);
      const peak = Math.max(sinceRead, inSecond, ...sums);
      sinceRead = inSecond;
      return peak;
    },
  };
}
