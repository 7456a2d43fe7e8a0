import type { Cell, Sample } from '../kit/metrics/series.ts';
import type { Metrics } from '../kit/metrics.ts';
import { COUNTED_BEFORE_OPENING_MS, EVENTS_COUNTED_MAX } from './limits.ts';
import type { RegistryView } from './registry-view.ts';

/** Counts what the buyers of each event were told. Only of events that the registry knows: a name costs a series. */
export interface EventAnswers {
  add(eventKey: string, answer: string): void;
}

/**
 * What many may hear at once is shown as zero before the first one hears it. A rate knows nothing of what a counter had
 * when it was first seen, and a sale, or a rush that was sent away, may be over by then.
 */
const SHOWN_FROM_THE_BEGINNING = [
  'held',
  'unknown',
  'SECKILL_ERR_SOLD_OUT',
  'SECKILL_ERR_NOT_OPEN',
  'SECKILL_ERR_NOT_READY',
  'SECKILL_ERR_LATE',
  'SECKILL_ERR_OVERLOADED',
];

export function createEventAnswers({ metrics, registry }: { metrics: Metrics; registry: RegistryView }): EventAnswers {
  const events = new Map<string, Map<string, Cell>>();
  /** Of all events that have no room of their own. */
  const others = new Map<string, Cell>();

  function answersOf(eventKey: string): Map<string, Cell> {
    const known = events.get(eventKey);
    if (known !== undefined || events.size >= EVENTS_COUNTED_MAX) return known ?? others;
    const fresh = new Map<string, Cell>();
    events.set(eventKey, fresh);
    return fresh;
  }

  function cellOf(eventKey: string, answer: string): Cell {
    const answers = answersOf(eventKey);
    const cell = answers.get(answer) ?? { count: 0 };
    answers.set(answer, cell);
    return cell;
  }

  function isNear(eventKey: string): boolean {
    const entry = registry.find(eventKey);
    const nowMs = registry.redisNowMs();
    return entry !== undefined && nowMs > entry.startMs - COUNTED_BEFORE_OPENING_MS && nowMs < entry.endMs;
  }

  metrics.counter('reservationAnswers', () => {
    // A sale that is over makes room for the next one's name.
    for (const eventKey of events.keys()) if (registry.find(eventKey) === undefined) events.delete(eventKey);
    for (const eventKey of registry.keys()) {
      if (events.has(eventKey) || events.size >= EVENTS_COUNTED_MAX || !isNear(eventKey)) continue;
      for (const answer of SHOWN_FROM_THE_BEGINNING) cellOf(eventKey, answer);
    }
    return [...events, ['other', others] as const].flatMap(([eventKey, answers]) =>
      [...answers].map(([answer, { count }]): Sample => [[eventKey, answer], count]),
    );
  });

  return {
    add(eventKey, answer) {
      const cell = events.get(eventKey)?.get(answer) ?? cellOf(eventKey, answer);
      cell.count += 1;
    },
  };
}
