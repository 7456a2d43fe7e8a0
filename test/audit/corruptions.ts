import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Ledger } from '../../ledger/ledger.ts';
import { journalKey, reservationsKey, stockKeys } from '../../lua/keys.ts';
import type { Stock, StockRef } from '../../lua/stock.ts';
import type { Accuracy } from '../../services/domain/accounting.ts';
import type { HoldMessage } from '../../services/domain/hold-message.ts';
import { hold } from '../ledger/bed.ts';

/** Of the sale that is corrupted: 100 units, one for each buyer, ten of them sold and none paid. */
export const CORRUPTED_UNITS = 100;
export const CORRUPTED_ORDERS = 10;

/** A sale as whoever corrupts it has it before him, with hands on its servers. */
export interface Victim {
  ref: StockRef;
  /** Ten, live, and committed in Redis. */
  orders: readonly { id: string; buyer: string }[];
  redis: Redis;
  stock: Stock;
  ledger: Ledger;
  sql(statement: string, values?: unknown[]): Promise<unknown>;
  /** Sells one more unit, whose journal entry no relay reads before `relay`. */
  sellUnrelayed(): Promise<void>;
  relay(): Promise<void>;
}

export interface Corruption {
  what: string;
  /** What the audit must say of it, and of nothing else. */
  wrong: Partial<Accuracy>;
  /** Tried under a real leader in every run of the tests; the others in the campaign. */
  inEveryRun?: true;
  corrupt(victim: Victim): Promise<unknown>;
}

const idAt = ({ orders }: Victim, index: number): string => orders[index]?.id ?? '';
const buyerAt = ({ orders }: Victim, index: number): string => orders[index]?.buyer ?? '';
const stockKey = ({ ref }: Victim): string => stockKeys(ref.eventId, 0)[0];
const buyersKey = ({ ref }: Victim): string => stockKeys(ref.eventId, 0)[1];
const reservations = ({ ref }: Victim): string => reservationsKey(ref.eventId, 0);
const journal = ({ ref }: Victim): string => journalKey(ref.eventId, 0);

const removeOrder = (victim: Victim, index: number): Promise<unknown> =>
  victim.sql('DELETE FROM orders WHERE id = ?', [idAt(victim, index)]);

const inventOrder = ({ ledger, ref }: Victim, changes: Partial<HoldMessage> = {}): Promise<unknown> =>
  ledger.orders.storeHolds(ref.eventId, [hold(ref.eventId, { generation: ref.generation, ...changes })]);

/** As Redis keeps it: state, units, journal entry, buyer. */
async function reservationAt(victim: Victim, index: number): Promise<string> {
  const row = await victim.redis.hget(reservations(victim), idAt(victim, index));
  if (row === null) throw new Error(`Redis has no reservation of order ${index}`);
  return row;
}

/** Both sides have it, and all counters agree. */
async function inventPair(victim: Victim): Promise<void> {
  const { redis } = victim;
  const reservationId = randomUUID();
  await inventOrder(victim, { reservationId, buyer: buyerAt(victim, 0) });
  await redis.hset(reservations(victim), reservationId, await reservationAt(victim, 0));
  await redis.hincrby(stockKey(victim), 'availableUnits', -1);
  await redis.hincrby(stockKey(victim), 'committedUnits', 1);
}

export const CORRUPTIONS: readonly Corruption[] = [
  {
    what: 'two order rows deleted',
    wrong: { broken: 2 },
    inEveryRun: true,
    corrupt: (victim) => Promise.all([removeOrder(victim, 0), removeOrder(victim, 7)]),
  },
  {
    what: 'a counter in Redis lowered by three',
    wrong: { drift: 3 },
    corrupt: (victim) => victim.redis.hincrby(stockKey(victim), 'availableUnits', -3),
  },
  {
    what: 'four units moved from one counter to another, so that they still add up',
    wrong: { drift: 4 },
    inEveryRun: true,
    corrupt: (victim) =>
      victim.redis
        .multi()
        .hincrby(stockKey(victim), 'availableUnits', -4)
        .hincrby(stockKey(victim), 'heldUnits', 4)
        .exec(),
  },
  {
    what: 'a reservation removed from Redis',
    wrong: { drift: 1 },
    inEveryRun: true,
    corrupt: (victim) => victim.redis.hdel(reservations(victim), idAt(victim, 0)),
  },
  {
    what: 'a journal entry trimmed before the relay read it',
    wrong: { broken: 1 },
    inEveryRun: true,
    corrupt: async (victim) => {
      await victim.sellUnrelayed();
      await victim.redis.xtrim(journal(victim), 'MAXLEN', 0);
      await victim.relay();
    },
  },
  {
    what: 'all of the journal trimmed, when its orders are there',
    wrong: {},
    corrupt: (victim) => victim.redis.xtrim(journal(victim), 'MAXLEN', 0),
  },
  {
    what: 'an order without a reservation',
    wrong: { phantom: 1 },
    inEveryRun: true,
    corrupt: (victim) => inventOrder(victim),
  },
  {
    what: 'an order lost and another invented, so that all counts are equal',
    wrong: { broken: 1, phantom: 1 },
    corrupt: async (victim) => {
      await removeOrder(victim, 3);
      await victim.sql('UPDATE events SET sold_units = sold_units - 1 WHERE event_id = ?', [victim.ref.eventId]);
      await inventOrder(victim);
    },
  },
  {
    what: 'a second order of a buyer whose limit is one, on both sides',
    wrong: { overLimit: 1 },
    inEveryRun: true,
    corrupt: inventPair,
  },
  {
    what: 'two orders given to one buyer, on both sides',
    wrong: { overLimit: 1 },
    corrupt: async (victim) => {
      const [one, two] = [buyerAt(victim, 0), buyerAt(victim, 1)];
      await victim.sql('UPDATE orders SET buyer = ? WHERE id = ?', [one, idAt(victim, 1)]);
      const row = await reservationAt(victim, 1);
      await victim.redis.hset(reservations(victim), idAt(victim, 1), row.replace(two, one));
      await victim.redis.hset(buyersKey(victim), one, 2);
    },
  },
  {
    what: 'an order given to a buyer who has one, in the ledger only',
    wrong: { drift: 1, overLimit: 1 },
    corrupt: (victim) => victim.sql('UPDATE orders SET buyer = ? WHERE id = ?', [buyerAt(victim, 0), idAt(victim, 1)]),
  },
  {
    what: 'an order of two units whose reservation is of one',
    wrong: { drift: 1, overLimit: 1 },
    corrupt: (victim) => victim.sql('UPDATE orders SET units = 2 WHERE id = ?', [idAt(victim, 0)]),
  },
  {
    what: 'a live order whose reservation was released',
    wrong: { drift: 1 },
    corrupt: async (victim) => {
      const reservation = { reservationId: idAt(victim, 0), buyer: buyerAt(victim, 0), units: 1 };
      await victim.stock.release(victim.ref, [reservation]);
      await victim.relay();
    },
  },
  {
    what: 'an order cancelled without a return of its unit',
    wrong: { drift: 1 },
    corrupt: (victim) => victim.sql(`UPDATE orders SET state = 'CANCELLED' WHERE id = ?`, [idAt(victim, 0)]),
  },
  {
    what: 'the total lowered to two less than what is sold',
    wrong: { oversold: 2 },
    corrupt: (victim) =>
      victim.sql('UPDATE events SET total_units = ? WHERE event_id = ?', [CORRUPTED_ORDERS - 2, victim.ref.eventId]),
  },
  {
    what: 'the sale closed while 90 units are left that somebody was refused',
    wrong: { undersold: CORRUPTED_UNITS - CORRUPTED_ORDERS },
    corrupt: async (victim) => {
      await victim.redis.hset(stockKey(victim), 'smallestRefusedAsk', 1);
      await victim.sql('UPDATE events SET closed = 1 WHERE event_id = ?', [victim.ref.eventId]);
    },
  },
];

/** Text that is no reservation's id, and is no ASCII either where that can be. */
const NO_ID = 'für-x';

/** What docs/corruptions.md has no measurement of. */
export const UNMEASURED: readonly Corruption[] = [
  {
    what: 'five units more counted as sold in the ledger',
    wrong: { drift: 5 },
    corrupt: ({ sql, ref }) => sql('UPDATE events SET sold_units = sold_units + 5 WHERE event_id = ?', [ref.eventId]),
  },
  {
    what: 'three units fewer counted as sold in the ledger',
    wrong: { drift: 3 },
    corrupt: ({ sql, ref }) => sql('UPDATE events SET sold_units = sold_units - 3 WHERE event_id = ?', [ref.eventId]),
  },
  {
    what: "an order whose id is no reservation's",
    wrong: { phantom: 1 },
    corrupt: ({ sql, orders }) =>
      sql(
        `INSERT INTO orders (id, event_id, bucket, generation, journal_id, buyer, units, state, price_minor, currency,
           held_at_ms)
         SELECT 'x', event_id, bucket, generation, journal_id, '', units, state, price_minor, currency, held_at_ms
         FROM orders WHERE id = ?`,
        [orders[0]?.id],
      ),
  },
  {
    what: 'a reservation under an id that is none',
    wrong: { broken: 1 },
    corrupt: async (victim) => victim.redis.hset(reservations(victim), NO_ID, await reservationAt(victim, 0)),
  },
  {
    what: 'a journal entry that tells of an id that is none',
    wrong: { broken: 1 },
    corrupt: async (victim) => {
      await victim.redis.xadd(journal(victim), '*', 'held', `${victim.ref.generation} ${Date.now()} 1 ${NO_ID} bob`);
      await victim.relay();
    },
  },
];
