import type { Cell, Sample } from '../kit/metrics/series.ts';
import type { Metrics } from '../kit/metrics.ts';
import { COUNTED_BEFORE_OPENING_MS, EVENTS_COUNTED_MAX } from './limits.ts';
import type { RegistryView } from './registry-view.ts';

/** Counts what the buyers of each event were told. Only of events that the registry knows: a name costs a series. */
export interface EventAnswers {
  add(eventKey: string, answer: string): void;
}

/**
 * What nearly everybody hears is shown as zero before the first one hears it. A rate knows nothing of what a counter had
 * when it was first seen, and a sale may be over by then.
 */
const SHOWN_FROM_THE_BEGINNING = ['held', 'SECKILL_ERR_SOLD_OUT', 'SECKILL_ERR_NOT_OPEN'];

export function createEventAnswers({ metrics, registry }: { metrics: Metrics; registry: RegistryView }): EventAnswers {
  const events = new Map<string, Map<string, Cell>>();

  function cellOf(eventKey: string, answer: string): Cell {
    const key = events.has(eventKey) || events.size < EVENTS_COUNTED_MAX ? eventKey : 'other';
    const ofEvent = events.get(key) ?? new Map<string, Cell>();
    events.set(key, ofEvent);
    const cell = ofEvent.get(answer) ?? { count: 0 };
    ofEvent.set(answer, cell);
    return cell;
  }

  function isNear(eventKey: string): boolean {
    const entry = registry.find(eventKey);
    const nowMs = registry.redisNowMs();
    return entry !== undefined && nowMs > entry.startMs - COUNTED_BEFORE_OPENING_MS && nowMs < entry.endMs;
  }

  metrics.counter('reservationAnswers', () => {
    for (const eventKey of registry.keys()) {
      if (events.has(eventKey) || events.size >= EVENTS_COUNTED_MAX || !isNear(eventKey)) continue;
      for (const answer of SHOWN_FROM_THE_BEGINNING) cellOf(eventKey, answer);
    }
    return [...events].flatMap(([eventKey, answers]) =>
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
