import type { RegistryEntry } from '../../lua/registry.ts';
import { HINT_MAX_AGE_MS } from '../domain/limits.ts';
import type { Clock } from '../kit/clock.ts';
import { HINT_QUIET_BEFORE_END_MS, HINT_REFRESH_MS } from './limits.ts';
import type { RegistryView } from './registry-view.ts';
import { bucketKeyOf, type SaleStock, stockRefOf } from './sale-stock.ts';

/*
 * A sold-out sale is asked a million times. After an answer "sold out" the pod remembers for at most a second how many
 * units were left, and refuses bigger asks by itself. While it does so it reads the stock again, about once a second, so
 * that units that come back are on sale here within a second. A hint that nobody used since is let go.
 */
interface Hint {
  unitsLeft: number;
  /** When Redis was asked, by the monotonic clock: the answer is at least as old. */
  askedAtMs: number;
  generation: number;
  /** Whether somebody was refused by it since it was last read. */
  used: boolean;
  timer: NodeJS.Timeout;
}

export interface Hints {
  /** The units that are left, when an ask for more may be refused without asking Redis; else `undefined`. */
  unitsLeft(entry: RegistryEntry, bucket: number): number | undefined;
  /** Remembers what Redis said after it refused somebody. `askedAtMs` is when it was asked, by the monotonic clock. */
  learn(entry: RegistryEntry, bucket: number, unitsLeft: number, askedAtMs: number): void;
  close(): void;
}

export interface HintsOptions {
  stock: Pick<SaleStock, 'snapshot'>;
  registry: RegistryView;
  clock: Clock;
}

export function createHints({ stock, registry, clock }: HintsOptions): Hints {
  const hints = new Map<string, Hint>();
  let closed = false;

  function drop(key: string): void {
    clearTimeout(hints.get(key)?.timer);
    hints.delete(key);
  }

  function remember(entry: RegistryEntry, bucket: number, unitsLeft: number, askedAtMs: number): void {
    const key = bucketKeyOf(entry, bucket);
    const before = hints.get(key);
    // Answers may overtake each other; the one that was asked for later knows more.
    if (closed || (before !== undefined && before.askedAtMs > askedAtMs)) return;
    drop(key);
    // Where everybody may ask for no more than what is left, there is nothing to refuse.
    if (unitsLeft >= entry.unitsPerBuyer) return;
    const timer = setTimeout(() => void refresh(entry.namespace, entry.name, bucket, key), HINT_REFRESH_MS);
    timer.unref();
    hints.set(key, { unitsLeft, askedAtMs, generation: entry.generation, used: false, timer });
  }

  async function refresh(namespace: string, name: string, bucket: number, key: string): Promise<void> {
    const hint = hints.get(key);
    const entry = registry.find(`${namespace}/${name}`);
    if (hint === undefined || !hint.used || entry === undefined || bucketKeyOf(entry, bucket) !== key) return drop(key);
    const ref = stockRefOf(entry, bucket);
    const askedAtMs = clock.monotonicMs();
    const found = ref === undefined ? undefined : await stock.snapshot(ref).catch(() => undefined);
    if (hints.get(key) !== hint) return;
    if (found?.status !== 'ok' || found.mode !== 'selling' || found.closed || found.generation !== entry.generation) {
      return drop(key);
    }
    remember(entry, bucket, found.availableUnits, askedAtMs);
  }

  return {
    unitsLeft(entry, bucket) {
      const hint = hints.get(bucketKeyOf(entry, bucket));
      if (hint === undefined || hint.generation !== entry.generation) return undefined;
      if (clock.monotonicMs() - hint.askedAtMs > HINT_MAX_AGE_MS) return undefined;
      const redisNowMs = registry.redisNowMs();
      if (redisNowMs < entry.startMs || redisNowMs >= entry.endMs - HINT_QUIET_BEFORE_END_MS) return undefined;
      hint.used = true;
      return hint.unitsLeft;
    },
    learn: remember,
    close() {
      closed = true;
      for (const key of [...hints.keys()]) drop(key);
    },
  };
}
