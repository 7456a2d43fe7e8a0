import type { RegistryEntry } from '../../lua/registry.ts';
import type { Clock } from '../kit/clock.ts';
import { EVENT_STATE_MAX_AGE_MS } from './limits.ts';
import type { RegistryView } from './registry-view.ts';
import { type SaleStock, stockRefOf } from './sale-stock.ts';

/** What an attempt would be told now. */
export const EVENT_STATES = ['not-ready', 'not-open', 'open', 'sold-out', 'paused', 'closed'] as const;
export type EventState = (typeof EVENT_STATES)[number];

export interface StateOfEvent {
  state: EventState;
  /** Missing while nothing is known of the stock. */
  unitsLeft?: number;
}

/** What is remembered of a stock. It holds no time, so that a remembered one still opens and closes to the millisecond. */
type StockFacts =
  | { ready: false }
  | { ready: true; paused: boolean; closed: boolean; startMs: number; endMs: number; unitsLeft: number };

export interface EventStates {
  stateOf(entry: RegistryEntry): Promise<StateOfEvent>;
}

export interface EventStatesOptions {
  stock: Pick<SaleStock, 'snapshot'>;
  registry: RegistryView;
  clock: Clock;
}

interface Remembered {
  readAtMs: number;
  facts: Promise<StockFacts>;
}

/** Reads the stock of an event at most once a second, however many ask; those who come meanwhile share the reading. */
export function createEventStates({ stock, registry, clock }: EventStatesOptions): EventStates {
  const remembered = new Map<string, Remembered>();

  async function readBuckets(entry: RegistryEntry): Promise<StockFacts> {
    const facts: StockFacts = {
      ready: true,
      paused: false,
      closed: false,
      startMs: entry.startMs,
      endMs: entry.endMs,
      unitsLeft: 0,
    };
    for (let bucket = 0; bucket < entry.buckets; bucket += 1) {
      const ref = stockRefOf(entry, bucket);
      const found = ref === undefined ? undefined : await stock.snapshot(ref).catch(() => undefined);
      if (found?.status !== 'ok' || found.generation !== entry.generation) return { ready: false };
      if (found.mode !== 'selling' && found.mode !== 'paused') return { ready: false };
      facts.paused ||= found.mode === 'paused';
      facts.closed ||= found.closed;
      facts.startMs = found.startMs;
      facts.endMs = found.endMs;
      facts.unitsLeft += found.availableUnits;
    }
    return facts;
  }

  function factsOf(entry: RegistryEntry): Promise<StockFacts> {
    const nowMs = clock.monotonicMs();
    const known = remembered.get(entry.eventId);
    if (known !== undefined && nowMs - known.readAtMs < EVENT_STATE_MAX_AGE_MS) return known.facts;
    for (const [eventId, { readAtMs }] of remembered) {
      if (nowMs - readAtMs >= EVENT_STATE_MAX_AGE_MS) remembered.delete(eventId);
    }
    const facts = readBuckets(entry);
    remembered.set(entry.eventId, { readAtMs: nowMs, facts });
    return facts;
  }

  return {
    async stateOf(entry) {
      const facts = await factsOf(entry);
      if (!facts.ready) return { state: 'not-ready' };
      return { state: judge(facts, registry.redisNowMs()), unitsLeft: facts.unitsLeft };
    },
  };
}

/** The same order of precedence as in the script `reserve`. */
function judge(facts: StockFacts & { ready: true }, redisNowMs: number): EventState {
  if (facts.paused) return 'paused';
  if (redisNowMs < facts.startMs) return 'not-open';
  if (facts.closed || redisNowMs >= facts.endMs) return 'closed';
  return facts.unitsLeft > 0 ? 'open' : 'sold-out';
}
