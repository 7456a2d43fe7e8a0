import type { Cell } from '../kit/metrics/series.ts';
import type { Metrics } from '../kit/metrics.ts';

/** Counts what the buyers of each event were told. Only of events that the registry knows: a name costs a series. */
export interface EventAnswers {
  add(eventKey: string, answer: string): void;
}

export function createEventAnswers(metrics: Metrics): EventAnswers {
  const tally = metrics.tally('reservationAnswers');
  const events = new Map<string, Map<string, Cell>>();

  function cellOf(eventKey: string, answer: string): Cell {
    const ofEvent = events.get(eventKey) ?? new Map<string, Cell>();
    events.set(eventKey, ofEvent);
    const cell = tally.cell(eventKey, answer);
    ofEvent.set(answer, cell);
    return cell;
  }

  return {
    add(eventKey, answer) {
      const cell = events.get(eventKey)?.get(answer) ?? cellOf(eventKey, answer);
      cell.count += 1;
    },
  };
}
