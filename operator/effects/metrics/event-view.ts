import type { Sample } from '../../../services/kit/metrics/series.ts';
import type { Metrics } from '../../../services/kit/metrics.ts';
import type { EventKey, SeckillEvent } from '../../api/seckill-event.ts';
import type { SeckillEventStatus } from '../../api/status.ts';
import type { Observed, SaleSight } from '../../plan/observed.ts';
import { ownership } from '../../plan/ownership.ts';
import { stockOf } from '../../plan/phase.ts';
import { RANKED_FOR_MS } from './limits.ts';
import { type RankedEvents, rankEvents, redisNowMs } from './rank-events.ts';

/** What the last look at an event found. */
export interface SeenEvent {
  key: EventKey;
  event: SeckillEvent;
  status: SeckillEventStatus;
  sale: SaleSight | undefined;
  stock: ReturnType<typeof stockOf>;
  workload: Observed['workload'];
  /** Redis time of the look, and our own monotonic time. */
  nowMs: number;
  atMs: number;
}

/**
 * The events as the leader shows them, within the series that it has for them: some in full, others in brief, which is
 * what alerts ask for (the phase, what is stalled, the six numbers, and around the opening whether it will be ready),
 * and of the others how many there are.
 */
export interface EventView {
  saw(key: EventKey, observed: Observed, status: SeckillEventStatus): void;
  forgot(key: EventKey): void;
  /** Those that are shown in full. */
  inFull(): SeenEvent[];
  /** Whether it is shown, in full or in brief. */
  shows(key: EventKey): boolean;
}

export function createEventView(metrics: Metrics): EventView {
  const seen = new Map<EventKey, SeenEvent>();
  let latest: (RankedEvents & { keys: ReadonlySet<EventKey>; atMs: number }) | undefined;

  /** Once for all gauges of a scrape: the clock alone moves events, too. */
  function ranked(): RankedEvents & { keys: ReadonlySet<EventKey> } {
    const atMs = performance.now();
    if (latest === undefined || atMs - latest.atMs > RANKED_FOR_MS) {
      const found = rankEvents([...seen.values()]);
      latest = { ...found, keys: new Set(found.shown.map(({ key }) => key)), atMs };
    }
    return latest;
  }

  const view: EventView = {
    saw(key, observed, status) {
      const { event, nowMs, workload, redis } = observed;
      const { mine } = ownership(observed);
      const stock = stockOf(redis);
      const current = mine !== undefined && stock?.generation === mine.generation ? stock : undefined;
      seen.set(key, { key, event, status, sale: mine, stock: current, workload, nowMs, atMs: performance.now() });
      latest = undefined;
    },
    forgot(key) {
      seen.delete(key);
      latest = undefined;
    },
    inFull: () => ranked().full,
    shows: (key) => ranked().keys.has(key),
  };

  metrics.gauge('events', () => {
    const { full, shown } = ranked();
    return [
      [['full'], full.length],
      [['brief'], shown.length - full.length],
      [['none'], seen.size - shown.length],
    ];
  });
  showBrief(metrics, () => ranked().shown);
  showOpening(metrics, () => ranked().opening);
  showFull(metrics, view.inFull);
  return view;
}

type Single = Parameters<Metrics['gauge']>[0];

/** Gauges with one value, or with several, of each of these events. */
function gaugesOf(metrics: Metrics, events: () => SeenEvent[]) {
  const several = (name: Single, values: (one: SeenEvent) => Sample[]): void =>
    metrics.gauge(name, () =>
      events().flatMap((one) => values(one).map(([labels, value]): Sample => [[one.key, ...labels], value])),
    );
  const each = (name: Single, value: (one: SeenEvent) => number | undefined): void =>
    several(name, (one) => {
      const found = value(one);
      return found === undefined ? [] : [[[], found]];
    });
  return { each, several };
}

function showBrief(metrics: Metrics, shown: () => SeenEvent[]): void {
  const { several } = gaugesOf(metrics, shown);
  several('eventPhase', ({ status }) => [[[status.phase], 1]]);
  several('eventStalled', ({ status }) =>
    status.conditions.flatMap(({ type, status: holds, reason }): Sample[] =>
      type === 'Stalled' && holds === 'True' ? [[[reason], 1]] : [],
    ),
  );
}

function showOpening(metrics: Metrics, opening: () => SeenEvent[]): void {
  const { each, several } = gaugesOf(metrics, opening);
  each('secondsToOpening', (one) => (Date.parse(one.status.startTime) - redisNowMs(one)) / 1_000);
  each('secondsToEnd', (one) => (Date.parse(one.status.endTime) - redisNowMs(one)) / 1_000);
  each('eventArmed', ({ sale }) => (sale?.armed === true ? 1 : 0));
  each('podsWanted', ({ status }) => status.pods.wanted);
  each('podsReady', ({ status }) => status.pods.ready);
  // Before its preheat nothing was checked, and afterwards what did not pass is history.
  several('checkFailing', ({ status, sale }) =>
    sale?.state !== 'warmed'
      ? []
      : status.checks.flatMap(({ name, blocking, passed }): Sample[] =>
          passed ? [] : [[[name, String(blocking)], 1]],
        ),
  );
}

function showFull(metrics: Metrics, full: () => SeenEvent[]): void {
  const { each, several } = gaugesOf(metrics, full);
  each('podsMax', ({ event }) => event.spec.scaling.maxReplicas);
  each('podsAtMax', ({ workload }) => (workload?.atCeiling === true ? 1 : 0));
  each('soldUnits', ({ sale }) => sale?.soldUnits);
  each('rebuilds', ({ sale }) => sale?.rebuilds);
  several('stockUnits', ({ stock }) =>
    stock === undefined
      ? []
      : [
          [['total'], stock.totalUnits],
          [['available'], stock.availableUnits],
          [['held'], stock.heldUnits],
          [['committed'], stock.committedUnits],
        ],
  );
}
