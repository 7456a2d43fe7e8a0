import { isDeepStrictEqual } from 'node:util';
import { ACCURATE, type Accuracy } from '../../services/domain/accounting.ts';
import { AUDIT_SETTLED_KEPT_MAX } from './audit-limits.ts';

/** What the audit last said of each sale, for the status and for whoever scrapes. Only a leader has something on it. */
export interface AuditBoard {
  /** `complete`: it looked at all that was due; `atMs`: when, by our clock. */
  put(sale: Audited, accuracy: Accuracy, complete: boolean): void;
  /** Counters that contradict each other, as somebody else saw first. They stay until the audit has looked. */
  noteGap(sale: Audited, units: number): void;
  /** The numbers that were written down when the sale was settled. */
  putSettled(sale: Audited, accuracy: Accuracy): void;
  /** No audit looks at this sale any more. */
  end(eventId: string): void;
  accuracyOf(eventId: string): Accuracy | undefined;
  /** Of the sales that `shows` is true of, by their names. */
  numbers(shows: Shows): Iterable<readonly [labels: readonly [event: string, number: string], value: number]>;
  completedSeconds(shows: Shows): Iterable<readonly [labels: readonly [event: string], value: number]>;
  clear(): void;
}

type Shows = (key: string) => boolean;

export interface Audited {
  eventId: string;
  /** `namespace/name` */
  key: string;
}

interface Entry {
  eventId: string;
  accuracy: Accuracy;
  completedMs: number | undefined;
  settled: boolean;
}

export function createAuditBoard({ nowMs }: { nowMs(): number }): AuditBoard {
  /** By name: the next edition takes the place of the last one. */
  const entries = new Map<string, Entry>();

  function entryOf({ eventId, key }: Audited): Entry | undefined {
    const known = entries.get(key);
    return known?.eventId === eventId ? known : undefined;
  }

  function keepSettled(key: string, entry: Entry): void {
    entries.delete(key);
    entries.set(key, entry);
    const over = [...entries].filter(([, { settled }]) => settled);
    for (const [oldest] of over.slice(0, Math.max(0, over.length - AUDIT_SETTLED_KEPT_MAX))) entries.delete(oldest);
  }

  return {
    put(sale, accuracy, complete) {
      const completedMs = complete ? nowMs() : entryOf(sale)?.completedMs;
      entries.set(sale.key, { eventId: sale.eventId, accuracy, completedMs, settled: false });
    },
    noteGap(sale, units) {
      const known = entryOf(sale);
      const accuracy = known?.accuracy ?? ACCURATE;
      if (accuracy.drift >= units) return;
      const { completedMs, settled } = known ?? { completedMs: undefined, settled: false };
      entries.set(sale.key, { eventId: sale.eventId, accuracy: { ...accuracy, drift: units }, completedMs, settled });
    },
    putSettled(sale, accuracy) {
      const known = entryOf(sale);
      if (known?.settled === true && isDeepStrictEqual(known.accuracy, accuracy)) return;
      keepSettled(sale.key, { eventId: sale.eventId, accuracy, completedMs: nowMs(), settled: true });
    },
    end(eventId) {
      for (const [key, entry] of [...entries]) {
        if (entry.eventId === eventId) keepSettled(key, { ...entry, settled: true });
      }
    },
    accuracyOf: (eventId) => [...entries.values()].find((entry) => entry.eventId === eventId)?.accuracy,
    *numbers(shows) {
      for (const [key, { accuracy }] of entries) {
        if (!shows(key)) continue;
        for (const [number, value] of Object.entries(accuracy)) yield [[key, number], value];
      }
    },
    *completedSeconds(shows) {
      for (const [key, { completedMs }] of entries) {
        if (shows(key) && completedMs !== undefined) yield [[key], completedMs / 1_000];
      }
    },
    clear: () => entries.clear(),
  };
}
