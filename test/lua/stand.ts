import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { connectRedis, type RedisLink } from '../../lua/connection.ts';
import { createJournal, type Journal } from '../../lua/journal.ts';
import { type StockKeys, stockKeys } from '../../lua/keys.ts';
import { createStock, type PreheatSettings, type Stock, type StockRef } from '../../lua/stock.ts';
import type { Attempt } from '../../services/domain/reservation.ts';
import { createLog } from '../../services/kit/log.ts';
import { randomEventName } from '../support/names.ts';
import { type OwnRedisOfFile, ownRedis } from '../support/redis.ts';

/** Long, because only what fails anyway waits for it; who tries a timeout brings a short one. */
const COMMAND_TIMEOUT_MS = 20_000;
export const HOUR_MS = 3_600_000;
/** Later than any test. */
export const NO_DEADLINE_MS = Date.now() + 24 * HOUR_MS;

const log = createLog({ role: 'test', instance: 'test', level: 'silent' });

export function linkTo(url: string, commandTimeoutMs = COMMAND_TIMEOUT_MS): RedisLink {
  return connectRedis({ url, log, name: 'test', commandTimeoutMs });
}

/** A Redis of this file, and the way to it. */
export interface Stand {
  readonly server: OwnRedisOfFile;
  readonly link: RedisLink;
  readonly stock: Stock;
  readonly journal: Journal;
  /** A client that looks at nothing: what a test does to the keys behind our back. */
  readonly redis: Redis;
  readonly run: string;
  /** The stock of an event that no other test uses. */
  sale(settings?: Partial<PreheatSettings>): Promise<Sale>;
}

/** One bucket's stock, armed and open if nothing else was asked for. */
export interface Sale {
  ref: StockRef;
  keys: StockKeys;
  /** All that the four keys hold, to see what a call changed. */
  dump(): Promise<unknown[]>;
  set(fields: Record<string, string | number>): Promise<void>;
}

export function attempt(buyer: string, units = 1, reservationId: string = randomUUID()): Attempt {
  return { reservationId, buyer, units };
}

async function dumpKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'stream') return redis.xrange(key, '-', '+');
  return type === 'none' ? type : [type, await redis.dump(key)];
}

export function saleOf(redis: Redis, ref: StockRef): Sale {
  const keys = stockKeys(ref.eventId, ref.bucket);
  return {
    ref,
    keys,
    dump: () => Promise.all(keys.map((key) => dumpKey(redis, key))),
    set: async (fields) => {
      await redis.hset(keys[0], fields);
    },
  };
}

export function openWindow(): PreheatSettings {
  const nowMs = Date.now();
  return { revision: 1, totalUnits: 10, startMs: nowMs - HOUR_MS, endMs: nowMs + HOUR_MS, unitsPerBuyer: 2 };
}

/** Call it at the top level of a test file; what it gives is there in hooks and tests. */
export function stand(config: Record<string, string> = {}): Stand {
  const server = ownRedis({ config });
  let link: RedisLink | undefined;
  let stock: Stock | undefined;
  let journal: Journal | undefined;
  const there = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('stand() is ready in hooks and tests, not before');
    return value;
  };
  beforeAll(async () => {
    link = linkTo(server.url);
    await link.ready();
    stock = createStock({ link });
    journal = createJournal({ link });
  });
  afterAll(async () => {
    await link?.close();
  });
  return {
    server,
    get link() {
      return there(link);
    },
    get stock() {
      return there(stock);
    },
    get journal() {
      return there(journal);
    },
    get redis() {
      return there(link?.current()).redis;
    },
    get run() {
      return there(link?.current()).run;
    },
    async sale(settings = {}) {
      const ref = { eventId: `test.${randomEventName()}.1`, bucket: 0, generation: 1, run: this.run };
      await this.stock.preheat(ref, { ...openWindow(), ...settings });
      await this.stock.arm(ref, { paused: false });
      return saleOf(this.redis, ref);
    },
  };
}
