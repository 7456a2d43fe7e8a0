import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RedisLink } from '../../lua/connection.ts';
import { createStock } from '../../lua/stock.ts';
import { arm } from '../../operator/effects/arm.ts';
import { createFaults } from '../../services/kit/fault-points.ts';
import { ledgerBed, present, warmedEvent } from '../ledger/bed.ts';
import { type Closers, closeAll, openLink } from '../order/bed.ts';
import { ownRedis } from '../support/redis.ts';

const bed = ledgerBed();
const redis = ownRedis();
const closers: Closers = [];
let link: RedisLink;

beforeAll(async () => {
  link = await openLink(redis.url, closers);
});
afterAll(() => closeAll(closers));

test('a pause that was accepted after the leader had looked holds when it arms', async () => {
  const { ledger } = bed;
  const stock = createStock({ link });
  const run = link.current()?.run ?? '';
  const seen = await warmedEvent(ledger, { runs: [run] });
  const { eventId, generation, revision, totalUnits, startMs, endMs, unitsPerBuyer } = seen;
  const ref = { eventId, bucket: 0, generation, run };
  await stock.preheat(ref, { revision, totalUnits, startMs, endMs, unitsPerBuyer });
  await ledger.events.acceptChange(eventId, { totalUnits, endMs, paused: true, closed: false });
  expect(await arm({ ledger, stock, faults: createFaults({}) }, seen)).toEqual({ status: 'done' });
  expect(await stock.snapshot(ref)).toMatchObject({ mode: 'paused' });
  expect(await present(ledger, eventId)).toMatchObject({ armed: true, paused: true });
});
