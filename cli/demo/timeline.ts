import type { Moment } from '../report/report.ts';

export interface Timeline {
  /** Notes an instant; now, unless it is given. */
  note(what: string, atMs?: number): void;
  /** In the order of time, counted from the first. */
  moments(): Moment[];
}

export function createTimeline(onNote: (what: string) => void): Timeline {
  const noted: { what: string; atMs: number }[] = [];
  return {
    note: (what, atMs = Date.now()) => {
      noted.push({ what, atMs });
      onNote(what);
    },
    moments: () => {
      const sorted = noted.toSorted((one, other) => one.atMs - other.atMs);
      const firstMs = sorted[0]?.atMs ?? 0;
      return sorted.map(({ what, atMs }) => ({ what, at: new Date(atMs).toISOString(), afterMs: atMs - firstMs }));
    },
  };
}
