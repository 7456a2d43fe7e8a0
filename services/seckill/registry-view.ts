import type { RegistryEntry } from '../../lua/registry.ts';
import { REGISTRY_REFRESH_MS } from '../domain/limits.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';

/** One reading of the registry, as lua/registry.ts gives it. */
export interface RegistryReading {
  /** What to add to the monotonic clock to get Redis's, in milliseconds; wrong by at most half the round trip. */
  offsetMs: number;
  roundTripMs: number;
  run: string;
  entries: ReadonlyMap<string, RegistryEntry>;
}

/** What a pod knows of events, without asking. */
export interface RegistryView {
  /** Whether the registry was ever read. Before that, an event that is not found may well exist. */
  known(): boolean;
  find(eventKey: string): RegistryEntry | undefined;
  /** Of all events that it knows. */
  keys(): Iterable<string>;
  /** Redis's clock, by the offset that was learned with the registry. */
  redisNowMs(): number;
  /** How long ago the registry was last read, in milliseconds; infinite before the first time. */
  ageMs(): number;
}

export interface FollowedRegistry extends RegistryView {
  /** Reads again now, for a new connection. */
  refresh(): void;
  stop(): Promise<void>;
}

export interface RegistryViewOptions {
  read(): Promise<RegistryReading>;
  /** Told of each reading, and with `undefined` of each that failed. */
  onReading(reading: RegistryReading | undefined): void | Promise<void>;
  clock: Clock;
  log: Log;
}

/**
 * Of two readings of one clock's offset, the one to go by: the sharper one, as long as both may be true. Where they
 * contradict each other a clock was set, or has drifted, and the later one is right.
 */
function betterOffset(former: Offset | undefined, later: Offset): Offset {
  if (former === undefined || later.roundTripMs <= former.roundTripMs) return later;
  const agree = Math.abs(later.offsetMs - former.offsetMs) <= (later.roundTripMs + former.roundTripMs) / 2;
  return agree ? former : later;
}

type Offset = Pick<RegistryReading, 'offsetMs' | 'roundTripMs'>;

/**
 * Follows the registry: reads it once a second and whenever it is asked to. A reading that fails changes nothing: what
 * is remembered is fenced by generation and run at the stock itself.
 */
export function followRegistry({ read, onReading, clock, log }: RegistryViewOptions): FollowedRegistry {
  let entries: ReadonlyMap<string, RegistryEntry> = new Map();
  let offset: Offset | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let failing = false;
  let stopped = false;
  let wake: (() => void) | undefined;
  let again = false;

  async function readOnce(): Promise<void> {
    try {
      const reading = await read();
      entries = reading.entries;
      offset = betterOffset(offset, reading);
      readAtMs = clock.monotonicMs();
      failing = false;
      await onReading(reading);
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'the registry cannot be read');
      failing = true;
      await onReading(undefined);
    }
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, REGISTRY_REFRESH_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function loop(): Promise<void> {
    while (!stopped) {
      again = false;
      await readOnce();
      if (!stopped && !again) await pause();
    }
  }
  const running = loop();

  return {
    known: () => readAtMs > Number.NEGATIVE_INFINITY,
    find: (eventKey) => entries.get(eventKey),
    keys: () => entries.keys(),
    // Before the first reading no sale is known either.
    redisNowMs: () => (offset === undefined ? clock.nowMs() : clock.monotonicMs() + offset.offsetMs),
    ageMs: () => clock.monotonicMs() - readAtMs,
    refresh() {
      again = true;
      wake?.();
    },
    async stop() {
      stopped = true;
      wake?.();
      await running;
    },
  };
}
