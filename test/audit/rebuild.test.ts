import { expect, test } from 'vitest';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { ledgerBed, present } from '../ledger/bed.ts';
import { type Pipeline, pipelineBed } from './bed.ts';

const bed = ledgerBed();
const { open } = pipelineBed(bed);

/** Three orders of three buyers, all committed, with the consumers at work; by the order in which they became rows. */
async function sold(): Promise<Pipeline & { ids: string[] }> {
  const pipeline = await open({ totalUnits: 10 });
  await pipeline.consume();
  await pipeline.sale.hold(3);
  await pipeline.relay();
  await pipeline.topic.passed();
  await pipeline.relay();
  const rows = await bed.sql('SELECT id FROM orders WHERE event_id = ? ORDER BY seq', [pipeline.sale.eventId]);
  return { ...pipeline, ids: rows.map((row) => String(row['id'])) };
}

test('what was paid for keeps its unit in the rebuilt stock, also above the limit of its buyer', async () => {
  const { sale, ids, recover, audit } = await sold();
  const [first, ...others] = ids;
  const [row] = await bed.sql('SELECT buyer FROM orders WHERE id = ?', [first]);
  // One of them is paid, the other is not; both are over the limit of one unit.
  await bed.sql('UPDATE orders SET buyer = ? WHERE id IN (?)', [row?.['buyer'], others]);
  await bed.sql(`UPDATE orders SET state = 'PAID' WHERE id = ?`, [others[1]]);
  await recover();
  expect(await sale.snapshot()).toEqual({ availableUnits: 8, heldUnits: 0, committedUnits: 2 });
  expect(await bed.ledger.orders.get(others[0] ?? '')).toMatchObject({ state: 'VOIDED' });
  expect(await bed.ledger.orders.get(others[1] ?? '')).toMatchObject({ state: 'PAID' });
  expect((await audit()).accuracy).toEqual({ ...ACCURATE, overLimit: 1 });
});

test('a row that Redis could not hold does not keep the sale from being rebuilt', async () => {
  const { sale, ids, recover, audit } = await sold();
  await bed.sql(`UPDATE orders SET buyer = '' WHERE id = ?`, [ids[1]]);
  await recover();
  expect((await present(bed.ledger, sale.eventId)).state).toBe('warmed');
  expect(await sale.snapshot()).toEqual({ availableUnits: 8, heldUnits: 0, committedUnits: 2 });
  expect((await audit()).accuracy).toEqual({ ...ACCURATE, drift: 1 });
});
