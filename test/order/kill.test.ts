import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { FAULT_POINTS, type FaultPoint } from '../../services/kit/fault-points.ts';
import { DEAD_LETTER_HEADERS } from '../../services/kit/kafka/topics.ts';
import { type LedgerBed, ledgerBed, present } from '../ledger/bed.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Closers, closeAll, newTopic, openLink, openSale, type Sale, spawnOrder } from './bed.ts';

const TIMEOUT_MS = 300_000;

const bed = ledgerBed();
const redis = ownRedis();
const kafka = sharedKafka();
const dir = tempDir();
const links: Closers = [];
let link: RedisLink;

beforeAll(async () => {
  link = await openLink(redis.url, links);
});
afterAll(() => closeAll(links));

const SWEEP_POINT: FaultPoint = 'order.after-return';
/** The second time: Redis has given its word on a hold of an earlier generation, and there is no row yet. */
const AFTER_WORD = 'order.before-store@2';
const points = [...FAULT_POINTS.filter((point) => point.startsWith('order.') && point !== SWEEP_POINT), AFTER_WORD];

// At the same time, because after each death the group waits for the dead one's session to end.
describe.concurrent('killed by SIGKILL, and started again', { timeout: TIMEOUT_MS }, () => {
  test.each(points)('at %s, the process leaves everything exact', (fault) => dieAndGoOn(bed, fault));
});

describe('killed by SIGKILL, and started again', { timeout: TIMEOUT_MS }, () => {
  // The sweep is for all events of a ledger: this one must not be swept by the processes above.
  const alone = ledgerBed();

  test(`at ${SWEEP_POINT}, the process leaves everything exact`, () => dieAndGoOn(alone, SWEEP_POINT));
});

async function dieAndGoOn({ ledger, url: mysqlUrl }: LedgerBed, fault: string): Promise<void> {
  const closers: Closers = [];
  try {
    // Redis has six units, five of them held; the barrier of the ledger has seven.
    const sale = await openSale({ link, ledger, totalUnits: 6, ledgerUnits: 7, generation: 2 });
    const held = await sale.hold(5);
    const earlier = sale.unheld({ generation: 1 });
    const [refused, over, cancelled] = [sale.unheld(), sale.unheld(), sale.unheld()];
    await ledger.orders.storeHolds(sale.eventId, [cancelled]);
    await ledger.orders.cancel({ id: cancelled.reservationId, reason: 'test', to: 'CANCELLED' });
    const topic = await newTopic(kafka.brokers, closers, 1);
    await topic.send([earlier, ...held, refused, over, cancelled, { key: 'x', value: 'not a hold' }]);

    const environment = { redisUrl: redis.url, mysqlUrl, brokers: kafka.brokers, topic, dir, fault };
    const first = spawnOrder(environment, closers);
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    spawnOrder(environment, closers);
    await topic.passed();
    await eventually(async () => {
      const { returning } = await ledger.audit.look(sale.eventId, [cancelled.reservationId]);
      expect(returning.size).toBe(0);
    });

    expect(await ledger.orders.countByState(sale.eventId)).toEqual({ PENDING_PAYMENT: 6, VOIDED: 2, CANCELLED: 1 });
    expect((await present(ledger, sale.eventId)).soldUnits).toBe(6);
    expect(await sale.snapshot()).toEqual({ availableUnits: 0, heldUnits: 0, committedUnits: 6 });
    for (const { reservationId } of [earlier, ...held]) expect(await stateOf(sale, reservationId)).toBe('committed');
    for (const { reservationId } of [refused, over, cancelled]) {
      expect(await stateOf(sale, reservationId)).toBe('released');
    }
    await eventually(() => expect(topic.deadLetters().length).toBeGreaterThan(0));
    const sources = topic.deadLetters().map(({ headers }) => headers[DEAD_LETTER_HEADERS.source]);
    expect(new Set(sources)).toEqual(new Set([`${topic.holds}/0/9`]));
  } finally {
    await closeAll(closers);
  }
}

async function stateOf(sale: Sale, id: string): Promise<string | undefined> {
  return (await sale.reservation(id))?.state;
}
