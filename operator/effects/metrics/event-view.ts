import type { Sample } from '../../../services/kit/metrics/series.ts';
import type { Metrics } from '../../../services/kit/metrics.ts';
import type { EventKey, SeckillEvent } from '../../api/seckill-event.ts';
import type { SeckillEventStatus } from '../../api/status.ts';
import type { Observed, SaleSight } from '../../plan/observed.ts';
import { ownership } from '../../plan/ownership.ts';
import { stockOf } from '../../plan/phase.ts';
import { EVENTS_BY_PHASE_MAX, EVENTS_IN_FULL_MAX } from './limits.ts';

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
 * The events as the leader shows them. A process shows a bounded number of series: those events that are nearest to
 * their window in full, then some with their phase only, and of the others how many there are.
 */
export interface EventView {
  saw(key: EventKey, observed: Observed, status: SeckillEventStatus): void;
  forgot(key: EventKey): void;
  /** Those that are shown in full. */
  inFull(): SeenEvent[];
}

export function createEventView(metrics: Metrics): EventView {
  const seen = new Map<EventKey, SeenEvent>();
  let shown: { full: SeenEvent[]; phase: SeenEvent[] } | undefined;

  /** Ranked once for each change, not for each of the gauges. */
  function ranked(): { full: SeenEvent[]; phase: SeenEvent[] } {
    if (shown === undefined) {
      const order = [...seen.values()].sort((a, b) => distanceMs(a) - distanceMs(b));
      const [full, phase] = [EVENTS_IN_FULL_MAX, EVENTS_IN_FULL_MAX + EVENTS_BY_PHASE_MAX];
      shown = { full: order.slice(0, full), phase: order.slice(full, phase) };
    }
    return shown;
  }

  const view: EventView = {
    saw(key, observed, status) {
      const { event, nowMs, workload, redis } = observed;
      const { mine } = ownership(observed);
      const stock = stockOf(redis);
      const current = mine !== undefined && stock?.generation === mine.generation ? stock : undefined;
      seen.set(key, { key, event, status, sale: mine, stock: current, workload, nowMs, atMs: performance.now() });
      shown = undefined;
    },
    forgot(key) {
      seen.delete(key);
      shown = undefined;
    },
    inFull: () => ranked().full,
  };

  metrics.gauge('events', () => {
    const { full, phase } = ranked();
    const none = seen.size - full.length - phase.length;
    return [
      [['full'], full.length],
      [['phase'], phase.length],
      [['none'], none],
    ];
  });
  metrics.gauge('eventPhase', () => {
    const { full, phase } = ranked();
    return [...full, ...phase].map(({ key, status }): Sample => [[key, status.phase], 1]);
  });
  showFull(metrics, view);
  return view;
}

/** Seconds from the window, zero inside of it; what is over comes after what is still to come. */
function distanceMs({ status, nowMs }: SeenEvent): number {
  const [startMs, endMs] = [Date.parse(status.startTime), Date.parse(status.endTime)];
  if (nowMs < startMs) return startMs - nowMs;
  const isOver = status.phase === 'Settled' || status.phase === 'Failed';
  if (isOver) return 1e12 + nowMs - endMs;
  return nowMs < endMs ? 0 : nowMs - endMs;
}

/** Redis time now, as far as we know it. */
export function redisNowMs({ nowMs, atMs }: SeenEvent): number {
  return nowMs + performance.now() - atMs;
}

function showFull(metrics: Metrics, view: EventView): void {
  type Single = Parameters<Metrics['gauge']>[0];
  const each = (name: Single, value: (one: SeenEvent) => number | undefined): void =>
    metrics.gauge(name, () =>
      view.inFull().flatMap((one): Sample[] => {
        const found = value(one);
        return found === undefined ? [] : [[[one.key], found]];
      }),
    );
  const several = (name: Single, values: (one: SeenEvent) => Sample[]): void =>
    metrics.gauge(name, () =>
      view.inFull().flatMap((one) => values(one).map(([labels, value]): Sample => [[one.key, ...labels], value])),
    );

  each('secondsToOpening', (one) => (Date.parse(one.status.startTime) - redisNowMs(one)) / 1_000);
  each('secondsToEnd', (one) => (Date.parse(one.status.endTime) - redisNowMs(one)) / 1_000);
  each('eventArmed', ({ sale }) => (sale?.armed === true ? 1 : 0));
  each('podsWanted', ({ status }) => status.pods.wanted);
  each('podsReady', ({ status }) => status.pods.ready);
  each('podsMax', ({ event }) => event.spec.scaling.maxReplicas);
  each('podsAtMax', ({ workload }) => (workload?.atCeiling === true ? 1 : 0));
  each('soldUnits', ({ sale }) => sale?.soldUnits);
  each('rebuilds', ({ sale }) => sale?.rebuilds);
  several('eventStalled', ({ status }) =>
    status.conditions.flatMap(({ type, status: holds, reason }): Sample[] =>
      type === 'Stalled' && holds === 'True' ? [[[reason], 1]] : [],
    ),
  );
  // Before its preheat nothing was checked, and afterwards what did not pass is history.
  several('checkFailing', ({ status, sale }) =>
    sale?.state !== 'warmed'
      ? []
      : status.checks.flatMap(({ name, blocking, passed }): Sample[] =>
          passed ? [] : [[[name, String(blocking)], 1]],
        ),
  );
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
