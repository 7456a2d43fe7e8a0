import { ACCURATE, isAccurate } from '../../../services/domain/accounting.ts';
import type { SeenEvent } from './event-view.ts';
import {
  AFTER_OPENING_MS,
  AUDIT_SERIES,
  BEFORE_OPENING_MS,
  EVENT_SERIES_MAX,
  EVENTS_IN_FULL_MAX,
  EVENTS_IN_FULL_MIN,
  EVENTS_SHOWN_MAX,
  OPENING_SERIES,
  PHASE_SERIES,
  REST_SERIES,
} from './limits.ts';

export interface RankedEvents {
  /** All that are shown at all, the most urgent ones first. */
  shown: SeenEvent[];
  /** Those of them whose opening is watched: the full ones, and those that open about now. */
  opening: SeenEvent[];
  full: SeenEvent[];
}

/** Redis time now, as far as we know it. */
export function redisNowMs({ nowMs, atMs }: SeenEvent): number {
  return nowMs + performance.now() - atMs;
}

/**
 * Of more events than a process has series for, those that people must see now. Each gets what alerts need of it before
 * any gets more: the sixth of six sales at noon must not open unseen because five are shown in full. What is over and
 * well gets what the others leave.
 */
export function rankEvents(events: readonly SeenEvent[]): RankedEvents {
  const order = events.toSorted((a, b) => urgency(a) - urgency(b) || distanceMs(a) - distanceMs(b));
  const past = order.findIndex((one) => urgency(one) === RANKS.length);
  const present = past === -1 ? order.length : past;
  const shown: SeenEvent[] = [];
  const full: SeenEvent[] = [];
  let room = EVENT_SERIES_MAX;

  function show(some: readonly SeenEvent[]): void {
    const ahead = some.slice(0, Math.max(0, EVENTS_IN_FULL_MIN - full.length));
    const reserved = ahead.reduce((sum, one) => sum + detailSeries(one), 0);
    const first = shown.length;
    for (const one of some.slice(0, EVENTS_SHOWN_MAX - first)) {
      if (briefSeries(one) + reserved > room) break;
      room -= briefSeries(one);
      shown.push(one);
    }
    for (const one of shown.slice(first)) {
      if (full.length === EVENTS_IN_FULL_MAX || detailSeries(one) > room) break;
      room -= detailSeries(one);
      full.push(one);
    }
  }

  show(order.slice(0, present));
  show(order.slice(present));
  const inFull = new Set(full);
  return { shown, full, opening: shown.filter((one) => inFull.has(one) || isOpening(one)) };
}

const RANKS: readonly ((one: SeenEvent) => boolean)[] = [
  isOpening,
  ({ status }) => status.phase === 'Recovering' || !isAccurate(status.accuracy ?? ACCURATE),
  (one) => !isOver(one) && Date.parse(one.status.startTime) <= redisNowMs(one),
  ({ status }) => status.conditions.some(({ type, status: holds }) => type === 'Stalled' && holds === 'True'),
  (one) => !isOver(one),
  ({ status }) => status.phase === 'Failed',
];

function urgency(one: SeenEvent): number {
  const rank = RANKS.findIndex((applies) => applies(one));
  return rank === -1 ? RANKS.length : rank;
}

/** From its opening; of what is over, from its end. */
function distanceMs(one: SeenEvent): number {
  const { startTime, endTime } = one.status;
  return Math.abs(Date.parse(isOver(one) ? endTime : startTime) - redisNowMs(one));
}

function isOpening(one: SeenEvent): boolean {
  const toOpeningMs = Date.parse(one.status.startTime) - redisNowMs(one);
  return !isOver(one) && toOpeningMs < BEFORE_OPENING_MS && toOpeningMs > -AFTER_OPENING_MS;
}

function isOver({ status }: SeenEvent): boolean {
  return status.phase === 'Settled' || status.phase === 'Failed';
}

function briefSeries(one: SeenEvent): number {
  // Nobody audits a sale before its first preheat.
  const audited = (one.sale?.generation ?? 0) > 0;
  return PHASE_SERIES + (audited ? AUDIT_SERIES : 0) + (isOpening(one) ? OPENING_SERIES : 0);
}

/** What an event in full has beyond that. */
function detailSeries(one: SeenEvent): number {
  return REST_SERIES + (isOpening(one) ? 0 : OPENING_SERIES);
}
