import assert from 'node:assert/strict';
import { whole } from './replies.ts';

/**
 * One change of the stock. An entry of Redis has one field: its type, with the values in the order below, parted by
 * spaces. A later release may add values at the end, and types: those of which this one knows nothing are `unknown`.
 */
export type JournalEntry =
  | HeldEntry
  | CommittedEntry
  | ReleasedEntry
  | AdjustedEntry
  | RebuiltEntry
  | { id: string; type: 'unknown'; fields: string[] }
  /** Of a type that we know, but it does not hold what it should: broken data, which must not stop the reader. */
  | { id: string; type: 'malformed'; fields: string[] };

/** `held: generation atMs units reservationId buyer` */
export interface HeldEntry {
  id: string;
  type: 'held';
  generation: number;
  /** Redis time of the hold. */
  atMs: number;
  units: number;
  reservationId: string;
  buyer: string;
}

/**
 * `committed: generation reservationId…`: all that one call moved from held to committed.
 * `late: generation units reservationId buyer`: a commit of a reservation that was not known, which took its units then.
 */
export interface CommittedEntry {
  id: string;
  type: 'committed';
  generation: number;
  reservationIds: string[];
  late?: { buyer: string; units: number };
}

/** `released: generation units reservationId buyer from` */
export interface ReleasedEntry {
  id: string;
  type: 'released';
  generation: number;
  units: number;
  reservationId: string;
  buyer: string;
  /** What it was before; of an unknown one no units came back. */
  from: 'held' | 'committed' | 'unknown';
}

/** `adjusted: generation revision totalUnits availableUnits endMs paused closed` */
export interface AdjustedEntry {
  id: string;
  type: 'adjusted';
  generation: number;
  revision: number;
  totalUnits: number;
  availableUnits: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
}

/** `rebuilt: generation revision totalUnits availableUnits committedUnits` */
export interface RebuiltEntry {
  id: string;
  type: 'rebuilt';
  generation: number;
  revision: number;
  totalUnits: number;
  availableUnits: number;
  committedUnits: number;
}

const RELEASED_FROM = ['held', 'committed', 'unknown'] as const;

function taken(values: string[], at: number): string {
  const value = values[at];
  assert(value !== undefined && value !== '', 'a journal entry is cut short');
  return value;
}

const DECODERS: Record<string, (id: string, generation: number, values: string[]) => JournalEntry> = {
  held: (id, generation, v) => ({
    id,
    type: 'held',
    generation,
    atMs: whole(v[1]),
    units: whole(v[2]),
    reservationId: taken(v, 3),
    buyer: taken(v, 4),
  }),
  committed: (id, generation, v) => ({ id, type: 'committed', generation, reservationIds: v.slice(1) }),
  late: (id, generation, v) => ({
    id,
    type: 'committed',
    generation,
    reservationIds: [taken(v, 2)],
    late: { units: whole(v[1]), buyer: taken(v, 3) },
  }),
  released: (id, generation, v) => ({
    id,
    type: 'released',
    generation,
    units: whole(v[1]),
    reservationId: taken(v, 2),
    buyer: taken(v, 3),
    from: RELEASED_FROM.find((from) => from === v[4]) ?? 'unknown',
  }),
  adjusted: (id, generation, v) => ({
    id,
    type: 'adjusted',
    generation,
    revision: whole(v[1]),
    totalUnits: whole(v[2]),
    availableUnits: whole(v[3]),
    endMs: whole(v[4]),
    paused: v[5] === '1',
    closed: v[6] === '1',
  }),
  rebuilt: (id, generation, v) => ({
    id,
    type: 'rebuilt',
    generation,
    revision: whole(v[1]),
    totalUnits: whole(v[2]),
    availableUnits: whole(v[3]),
    committedUnits: whole(v[4]),
  }),
};

/** Reads an entry of the stream, `fields` being names and values in turn. */
export function decodeEntry(id: string, fields: string[]): JournalEntry {
  const [type = '', value = ''] = fields;
  const decode = Object.hasOwn(DECODERS, type) ? DECODERS[type] : undefined;
  if (decode === undefined) return { id, type: 'unknown', fields };
  const values = value.split(' ');
  try {
    return decode(id, whole(values[0]), values);
  } catch {
    return { id, type: 'malformed', fields };
  }
}
