import { describe, expect, test } from 'vitest';
import { journalKey, reservationsKey } from '../../lua/keys.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import type { HoldMessage } from '../../services/domain/hold-message.ts';
import { ledgerBed } from '../ledger/bed.ts';
import { type Follow, type Pipeline, pipelineBed } from './bed.ts';
import { CORRUPTED_ORDERS, CORRUPTED_UNITS, CORRUPTIONS, UNMEASURED } from './corruptions.ts';

const bed = ledgerBed();
const { open, redis, victim } = pipelineBed(bed);

interface Audited extends Pipeline {
  messages: HoldMessage[];
  audited: Follow;
}

/** Ten orders that were audited long ago: the journal does not name them any more. */
async function audited(): Promise<Audited> {
  const pipeline = await open({ totalUnits: CORRUPTED_UNITS });
  await pipeline.consume();
  const follow = pipeline.follow();
  const messages: HoldMessage[] = [];
  // The last entry of a journal stays, and may name many: the last sale is of one order.
  for (const count of [CORRUPTED_ORDERS - 1, 1]) {
    messages.push(...(await pipeline.sale.hold(count)));
    await pipeline.relay();
    await pipeline.topic.passed();
    await pipeline.relay();
    await follow.complete();
  }
  for (let round = 0; round < 4; round += 1) expect((await follow.complete()).accuracy).toEqual(ACCURATE);
  expect(await redis().xlen(journalKey(pipeline.sale.eventId, 0))).toBeLessThanOrEqual(1);
  return { ...pipeline, messages, audited: follow };
}

describe('what is broken by hand long after it was audited', () => {
  test.each([{ what: 'nothing', wrong: {}, corrupt: async () => undefined }, ...CORRUPTIONS, ...UNMEASURED])(
    '$what: is counted within two rounds, by every means',
    { timeout: 240_000 },
    async ({ wrong, corrupt }) => {
      const scene = await audited();
      await corrupt(victim(scene, scene.messages));
      // Two intervals: the steps that a leader makes in them.
      await scene.topic.passed();
      await scene.audited.step();
      const second = await scene.audited.step();
      expect(second?.accuracy).toEqual({ ...ACCURATE, ...wrong });
      // It stays so, and is what the full audit says, and what another leader says who begins from the cursor.
      expect((await scene.audited.complete()).accuracy).toEqual({ ...ACCURATE, ...wrong });
      expect((await scene.audit()).accuracy).toEqual({ ...ACCURATE, ...wrong });
      const other = scene.follow();
      await other.complete();
      expect((await other.complete()).accuracy).toEqual({ ...ACCURATE, ...wrong });
    },
  );
});

test("the ledger's counter of sold units is right again when somebody has set it right", {
  timeout: 60_000,
}, async () => {
  const scene = await audited();
  const add = (units: number): Promise<unknown> =>
    bed.sql('UPDATE events SET sold_units = sold_units + ? WHERE event_id = ?', [units, scene.sale.eventId]);
  await add(5);
  await scene.audited.step();
  expect((await scene.audited.step())?.accuracy).toEqual({ ...ACCURATE, drift: 5 });
  await add(-5);
  await scene.audited.step();
  expect((await scene.audited.step())?.accuracy).toEqual(ACCURATE);
});

test('what nothing tells of is found in turn', async () => {
  const pipeline = await open();
  await pipeline.consume();
  const [first] = await pipeline.sale.hold(3);
  await pipeline.relay();
  await pipeline.topic.passed();
  const follow = pipeline.follow({ looksInTurn: true });
  await follow.complete();
  const value = `r 1 ${first?.journalId} ${first?.buyer}`;
  await redis().hset(reservationsKey(pipeline.sale.eventId, 0), first?.reservationId ?? '', value);
  await follow.step();
  expect((await follow.step())?.accuracy).toEqual({ ...ACCURATE, drift: 1 });
});

test('a reservation that nobody can read is drift, one that nobody made is broken, and the audit goes on', async () => {
  const pipeline = await open();
  await pipeline.consume();
  const [first] = await pipeline.sale.hold(3);
  await pipeline.relay();
  await pipeline.topic.passed();
  const follow = pipeline.follow({ looksInTurn: true });
  await follow.complete();
  const key = reservationsKey(pipeline.sale.eventId, 0);
  await redis().hset(key, first?.reservationId ?? '', 'abc');
  await follow.step();
  expect((await follow.step())?.accuracy).toEqual({ ...ACCURATE, drift: 1 });
  expect((await pipeline.audit()).accuracy).toEqual({ ...ACCURATE, drift: 1 });
  await redis().hset(key, 'no id', 'abc');
  expect((await follow.complete()).accuracy).toEqual({ ...ACCURATE, drift: 1, broken: 1 });
  expect((await pipeline.audit()).accuracy).toEqual({ ...ACCURATE, drift: 1, broken: 1 });
});
