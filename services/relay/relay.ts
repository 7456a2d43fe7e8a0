import type { RedisLink } from '../../lua/connection.ts';
import { createJournal, type JournalProgress } from '../../lua/journal.ts';
import { type RegistryEntry, readRegistry } from '../../lua/registry.ts';
import { createStock } from '../../lua/stock.ts';
import { HOLD_RESEND_MAX_TIMES, REGISTRY_REFRESH_MS } from '../domain/limits.ts';
import type { Clock } from '../kit/clock.ts';
import type { Faults } from '../kit/fault-points.ts';
import { settledWithin, sleepUnless } from '../kit/kafka/patience.ts';
import type { Producer } from '../kit/kafka/port.ts';
import type { Log } from '../kit/log.ts';
import type { RelayCounts } from './counts.ts';
import { type Courier, createCourier } from './courier.ts';
import type { Place, Topics } from './letter.ts';
import {
  MEASURE_INTERVAL_MS,
  OPEN_MARGIN_MS,
  POLL_CLOSED_MS,
  POLL_OPEN_MS,
  RESEND_CHECK_LONGEST_MS,
  RESEND_CHECKS_PER_WAIT,
  STOP_PATIENCE_MS,
} from './limits.ts';
import { createOutbox } from './outbox.ts';
import { createResender } from './resender.ts';

export interface RelayOptions {
  link: RedisLink;
  producer: Producer;
  /** Dead letters go their own way: what keeps them from arriving must not keep the holds. */
  deadProducer: Producer;
  topics: Topics;
  /** Name of this relay in the group of the journals. Two living relays must not have the same. */
  consumer: string;
  claimIdleMs: number;
  resendAfterMs: number;
  counts: RelayCounts;
  onSent?(messages: number, seconds: number): void;
  clock: Clock;
  faults: Faults;
  log: Log;
}

/** What all journals together have yet to give. */
export interface JournalLag {
  journals: number;
  entries: number;
  /** Entries that no relay has acknowledged yet, delivered or not. */
  messages: number;
  /** Age of the oldest of them; 0: none. */
  seconds: number;
}

export interface Relay {
  /** `undefined`: it could not be measured. An old number would look like a calm one. */
  lag(): JournalLag | undefined;
  /** Redis's clock minus ours; `undefined` until it was first heard of. */
  clockSkewSeconds(): number | undefined;
  stop(): Promise<void>;
}

interface Route {
  place: Place;
  entry: RegistryEntry;
  courier: Courier;
  stopped: AbortController;
}

/** Brings the journals of all events to Kafka. Starts at once; what is away is waited for. */
export function startRelay(options: RelayOptions): Relay {
  const { link, log, clock, producer, deadProducer, resendAfterMs } = options;
  const stopping = new AbortController();
  const journal = createJournal({ link });
  const stock = createStock({ link });
  const holds = createOutbox({
    send: (messages) => producer.send(messages),
    ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
  });
  const dead = createOutbox({ send: (messages) => deadProducer.send(messages) });
  const routes = new Map<string, Route>();
  const leaving = new Set<Promise<void>>();
  /** Redis's clock minus ours, from the first reading of the registry on. */
  let offsetMs: number | undefined;
  let lag: JournalLag | undefined;

  const redisNowMs = (): number => clock.nowMs() + (offsetMs ?? 0);

  function openRoute(place: Place, entry: RegistryEntry): Route {
    const resender = createResender({
      ...options,
      place,
      stock,
      journal,
      holds,
      resendMaxTimes: HOLD_RESEND_MAX_TIMES,
    });
    const courier = createCourier({
      ...options,
      place,
      journal,
      holds,
      dead,
      pollMs: () => (isAroundWindow(route.entry, redisNowMs()) ? POLL_OPEN_MS : POLL_CLOSED_MS),
      onSent(oldestId) {
        if (redisNowMs() - Number.parseInt(oldestId, 10) > resendAfterMs / 2) resender.sentLate();
      },
    });
    const route: Route = { place, entry, courier, stopped: new AbortController() };
    const everyMs = Math.min(resendAfterMs / RESEND_CHECKS_PER_WAIT, RESEND_CHECK_LONGEST_MS);
    repeat(route.stopped.signal, everyMs, 'holds cannot be sent again', () => {
      const { generation, runs } = route.entry;
      const run = runs[place.bucket];
      return run === undefined ? Promise.resolve() : resender.look({ ...place, generation, run });
    });
    return route;
  }

  function closeRoute(key: string, route: Route): void {
    routes.delete(key);
    route.stopped.abort();
    const left = route.courier.stop().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function followRegistry(): Promise<void> {
    const registry = await readRegistry(link, () => clock.nowMs());
    offsetMs = registry.offsetMs;
    const wanted = new Set<string>();
    for (const entry of registry.entries.values()) {
      for (let bucket = 0; bucket < entry.buckets; bucket += 1) {
        const key = `${entry.eventId}/${bucket}`;
        wanted.add(key);
        const route = routes.get(key);
        if (route !== undefined) route.entry = entry;
        else if (!stopping.signal.aborted) routes.set(key, openRoute({ eventId: entry.eventId, bucket }, entry));
      }
    }
    for (const [key, route] of routes) if (!wanted.has(key)) closeRoute(key, route);
  }

  async function measure(): Promise<void> {
    // Before it was told of any journals, that there are none says nothing.
    if (offsetMs === undefined) return;
    try {
      lag = await lagOfAll();
    } catch (error) {
      lag = undefined;
      throw error;
    }
  }

  async function lagOfAll(): Promise<JournalLag> {
    const now: JournalLag = { journals: 0, entries: 0, messages: 0, seconds: 0 };
    for (const { place } of routes.values()) {
      const progress = await journal.progress(place.eventId, place.bucket);
      now.journals += 1;
      now.entries += progress.length;
      now.messages += progress.pending + progress.unreadEntries;
      const oldestId = await oldestOf(place, progress);
      const ageMs = oldestId === undefined ? 0 : redisNowMs() - Number.parseInt(oldestId, 10);
      now.seconds = Math.max(now.seconds, ageMs / 1_000);
    }
    return now;
  }

  /** The oldest entry that no relay has acknowledged. What was delivered is older than what was not. */
  async function oldestOf({ eventId, bucket }: Place, progress: JournalProgress): Promise<string | undefined> {
    if (progress.smallestPendingId !== undefined) return progress.smallestPendingId;
    if (progress.unreadEntries === 0) return undefined;
    const [next] = await journal.range(eventId, bucket, progress.lastDeliveredId, 1);
    return next?.id;
  }

  /** Does something again and again until the signal. What fails is tried again the next time. */
  function repeat(signal: AbortSignal, everyMs: number, failure: string, work: () => Promise<void>): void {
    const loop = (async () => {
      while (!signal.aborted) {
        await work().catch((error: unknown) => log.debug({ err: error }, failure));
        await sleepUnless(signal, everyMs);
      }
    })().finally(() => leaving.delete(loop));
    leaving.add(loop);
  }

  repeat(stopping.signal, REGISTRY_REFRESH_MS, 'the registry cannot be read', followRegistry);
  repeat(stopping.signal, MEASURE_INTERVAL_MS, 'the journals cannot be measured', measure);

  return {
    lag: () => lag,
    clockSkewSeconds: () => (offsetMs === undefined ? undefined : offsetMs / 1_000),
    async stop() {
      stopping.abort();
      for (const [key, route] of routes) closeRoute(key, route);
      await settledWithin(Promise.all(leaving), 2 * STOP_PATIENCE_MS);
    },
  };
}

function isAroundWindow({ startMs, endMs }: RegistryEntry, nowMs: number): boolean {
  return nowMs > startMs - OPEN_MARGIN_MS && nowMs < endMs + OPEN_MARGIN_MS;
}
