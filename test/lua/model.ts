import type {
  AdjustTarget,
  CommitAnswer,
  PreheatSettings,
  RebuildRow,
  RebuildSettings,
  ReleaseAnswer,
  StockMode,
} from '../../lua/stock.ts';
import type { Attempt, ReservationState } from '../../services/domain/reservation.ts';

/**
 * What a bucket of stock is, in plain words: a set of reservations and a total. Nothing is counted as it goes: every
 * number is derived from the set, so that a script that counts wrongly cannot agree with it.
 */
export interface Model extends PreheatSettings {
  generation: number;
  mode: StockMode;
  closed: boolean;
  smallestRefusedAsk: number;
  /** Whether the first chunk of the present rebuild was loaded. */
  loaded: boolean;
  reservations: Map<string, Attempt & { state: ReservationState }>;
  journal: ModelEntry[];
}

/** A journal entry without its id and time. */
export type ModelEntry = Record<string, unknown> & { type: string };

export type ModelAnswer =
  | { status: 'exists'; state: ReservationState }
  | { status: 'sold-out'; unitsLeft: number }
  | { status: string };

interface NotReady {
  status: 'not-ready';
  reason: string;
}

export function preheated(settings: PreheatSettings): Model {
  return {
    ...settings,
    generation: 1,
    mode: 'unarmed',
    closed: false,
    smallestRefusedAsk: 0,
    loaded: false,
    reservations: new Map(),
    journal: [],
  };
}

const sum = (units: number[]): number => units.reduce((a, b) => a + b, 0);

export function unitsIn(model: Model, ...states: ReservationState[]): number {
  return sum([...model.reservations.values()].filter((r) => states.includes(r.state)).map((r) => r.units));
}

export function takenBy(model: Model, buyer: string): number {
  const his = [...model.reservations.values()].filter((r) => r.buyer === buyer && r.state !== 'released');
  return sum(his.map((r) => r.units));
}

export function available(model: Model): number {
  return model.totalUnits - unitsIn(model, 'held', 'committed');
}

/** Why no call of this generation may be decided, if so. */
export function blocked(model: Model, generation: number): NotReady | undefined {
  if (generation !== model.generation) return { status: 'not-ready', reason: 'other-generation' };
  if (model.mode === 'recovering') return { status: 'not-ready', reason: 'recovering' };
  return undefined;
}

function sameAs(there: Attempt, { buyer, units }: Attempt): boolean {
  return there.buyer === buyer && there.units === units;
}

export function reserve(model: Model, attempt: Attempt, nowMs: number, deadlineMs: number): ModelAnswer {
  const { reservationId, buyer, units } = attempt;
  const there = model.reservations.get(reservationId);
  if (there !== undefined) {
    return sameAs(there, attempt) ? { status: 'exists', state: there.state } : { status: 'conflict' };
  }
  if (nowMs > deadlineMs) return { status: 'late' };
  if (model.mode === 'paused') return { status: 'paused' };
  if (nowMs < model.startMs) return { status: 'not-open' };
  if (model.closed || nowMs >= model.endMs) return { status: 'closed' };
  if (takenBy(model, buyer) + units > model.unitsPerBuyer) return { status: 'limit-exceeded' };
  if (units > available(model)) {
    model.smallestRefusedAsk = model.smallestRefusedAsk === 0 ? units : Math.min(model.smallestRefusedAsk, units);
    return { status: 'sold-out', unitsLeft: available(model) };
  }
  model.reservations.set(reservationId, { ...attempt, state: 'held' });
  model.journal.push({ type: 'held', generation: model.generation, ...attempt });
  return { status: 'held' };
}

export function commit(model: Model, items: readonly Attempt[]): CommitAnswer[] {
  const { generation, journal } = model;
  const moved: string[] = [];
  const late: ModelEntry[] = [];
  const answers = items.map((item): CommitAnswer => {
    const { reservationId, buyer, units } = item;
    const there = model.reservations.get(reservationId);
    if (there === undefined) {
      if (takenBy(model, buyer) + units > model.unitsPerBuyer || units > available(model)) return 'refused';
      model.reservations.set(reservationId, { ...item, state: 'committed' });
      late.push({ type: 'committed', generation, reservationIds: [reservationId], late: { buyer, units } });
      return 'committed';
    }
    if (!sameAs(there, item)) return 'conflict';
    if (there.state === 'released') return 'released';
    if (there.state === 'held') {
      there.state = 'committed';
      moved.push(reservationId);
    }
    return 'committed';
  });
  if (moved.length > 0) journal.push({ type: 'committed', generation, reservationIds: moved });
  journal.push(...late);
  return answers;
}

export function release(model: Model, items: readonly Attempt[]): ReleaseAnswer[] {
  return items.map((item): ReleaseAnswer => {
    const there = model.reservations.get(item.reservationId);
    if (there !== undefined && !sameAs(there, item)) return 'conflict';
    if (there?.state === 'released') return 'released';
    model.reservations.set(item.reservationId, { ...item, state: 'released' });
    if (there !== undefined) model.smallestRefusedAsk = 0;
    const from = there?.state ?? 'unknown';
    model.journal.push({ type: 'released', generation: model.generation, ...item, from });
    return 'released';
  });
}

export function adjust(model: Model, target: AdjustTarget): { status: string; totalUnits?: number } {
  if (target.revision < model.revision) return { status: 'stale' };
  if (target.revision === model.revision) return { status: 'unchanged', totalUnits: model.totalUnits };
  const totalUnits = Math.max(target.totalUnits, unitsIn(model, 'held', 'committed'));
  if (totalUnits > model.totalUnits) model.smallestRefusedAsk = 0;
  const { revision, endMs, paused } = target;
  Object.assign(model, { revision, totalUnits, endMs, closed: model.closed || target.closed });
  if (model.mode !== 'unarmed') model.mode = paused ? 'paused' : 'selling';
  model.journal.push({
    type: 'adjusted',
    generation: model.generation,
    revision,
    totalUnits,
    availableUnits: available(model),
    endMs,
    paused,
    closed: model.closed,
  });
  return { status: 'adjusted', totalUnits };
}

export function arm(model: Model, paused: boolean): { status: string } {
  if (model.mode !== 'unarmed') return { status: 'already' };
  model.mode = paused ? 'paused' : 'selling';
  return { status: 'armed' };
}

export function rebuildBegin(model: Model, generation: number): { status: string } {
  if (generation <= model.generation) return { status: 'refused' };
  Object.assign(model, { generation, mode: 'recovering', loaded: false });
  return { status: 'begun' };
}

/** The ids over their buyer's limit. */
export function rebuildLoad(
  model: Model,
  { first, unitsPerBuyer, rows }: { first: boolean; unitsPerBuyer: number; rows: readonly RebuildRow[] },
): string[] {
  if (first) model.reservations.clear();
  model.loaded = true;
  const overLimit: string[] = [];
  for (const { live, journalId: _, ...row } of rows) {
    model.reservations.delete(row.reservationId);
    const fits = takenBy(model, row.buyer) + row.units <= unitsPerBuyer;
    model.reservations.set(row.reservationId, { ...row, state: live && fits ? 'committed' : 'released' });
    if (live && !fits) overLimit.push(row.reservationId);
  }
  return overLimit;
}

export function rebuildFinish(model: Model, settings: RebuildSettings): { status: string } {
  const { armed, paused, closed, ...rest } = settings;
  const committedUnits = unitsIn(model, 'committed');
  if (committedUnits > rest.totalUnits) return { status: 'law-broken' };
  const mode = armed ? (paused ? 'paused' : 'selling') : 'unarmed';
  Object.assign(model, { ...rest, closed, mode, smallestRefusedAsk: 0 });
  model.journal.push({
    type: 'rebuilt',
    generation: model.generation,
    revision: rest.revision,
    totalUnits: rest.totalUnits,
    availableUnits: rest.totalUnits - committedUnits,
    committedUnits,
  });
  return { status: 'finished' };
}
