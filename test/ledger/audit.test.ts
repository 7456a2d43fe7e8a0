import { expect, test } from 'vitest';
import type { AuditCursor } from '../../ledger/audit-cursors.ts';
import { holds, ledgerBed, warmedEvent } from './bed.ts';

const bed = ledgerBed();

function cursorOf(eventId: string, changes: Partial<AuditCursor> = {}): AuditCursor {
  return {
    ...{ eventId, version: 0, generation: 1, journalIds: ['5-0'], lastSeq: 7 },
    state: {
      ...{
        told: 3,
        lateCommits: 0,
        rows: 3,
        changedMs: 1_764_000_000_123,
        unsoldUnits: 0,
        soldDrift: 0,
        hiddenDrift: 0,
      },
      counted: [{ journalId: '6-0', reservations: 3, totalUnits: 10, availableUnits: 7 }],
      ...{ wrong: [{ number: 'broken', id: 'a', bucket: 0, journalId: '4-0' }], more: { broken: 2 } },
    },
    ...changes,
  };
}

test('a cursor is moved by one of two that begin at the same place', async () => {
  const { eventId } = await warmedEvent(bed.ledger);
  const { cursors } = bed.ledger.audit;
  expect(await cursors.get(eventId)).toBeUndefined();
  const begun = await Promise.all([cursors.save(cursorOf(eventId)), cursors.save(cursorOf(eventId))]);
  expect(begun.sort()).toEqual([false, true]);
  expect(await cursors.get(eventId)).toEqual(cursorOf(eventId, { version: 1 }));
  const moved = await Promise.all([
    cursors.save(cursorOf(eventId, { version: 1, journalIds: ['8-0'] })),
    cursors.save(cursorOf(eventId, { version: 1, journalIds: ['8-0'] })),
  ]);
  expect(moved.sort()).toEqual([false, true]);
  expect(await cursors.save(cursorOf(eventId, { version: 1, journalIds: ['7-0'] }))).toBe(false);
  expect(await cursors.get(eventId)).toMatchObject({ version: 2, journalIds: ['8-0'] });
});

test('a row that somebody changed is told of, one that was only stored is not', async () => {
  const { eventId } = await warmedEvent(bed.ledger, { totalUnits: 100 });
  const stored = holds(eventId, 5);
  await bed.ledger.orders.storeHolds(eventId, stored);
  const before = await bed.ledger.audit.now(eventId);
  const since = { changedMs: before.nowMs - 60_000, seq: 0 };
  expect(await bed.ledger.audit.changedRows(eventId, since, before.nowMs)).toEqual([]);
  // By hand, and later than the rows were stored.
  await bed.sql('DO SLEEP(0.01)');
  await bed.sql(`UPDATE orders SET buyer = 'eve' WHERE id = ?`, [stored[2]?.reservationId]);
  const after = await bed.ledger.audit.now(eventId);
  const changed = await bed.ledger.audit.changedRows(eventId, since, after.nowMs);
  expect(changed.map(({ id }) => id)).toEqual([stored[2]?.reservationId]);
  const [one] = changed;
  if (one === undefined) throw new Error('nothing was told of');
  expect(await bed.ledger.audit.changedRows(eventId, one, after.nowMs)).toEqual([]);
  expect(await bed.ledger.audit.changedRows(eventId, since, one.changedMs - 1)).toEqual([]);
});

test('rows are counted, deletions noticed, and buyers over their limit named by their first live order', async () => {
  const { eventId } = await warmedEvent(bed.ledger, { totalUnits: 100 });
  const stored = holds(eventId, 6).map((one, index) => (index < 3 ? { ...one, buyer: `twice-${eventId}` } : one));
  await bed.ledger.orders.storeHolds(eventId, stored);
  const { audit } = bed.ledger;
  const { lastSeq, deletions } = await audit.now(eventId);
  const rows = await audit.rowsBetween(eventId, 0, lastSeq);
  expect(rows.map(({ id }) => id)).toEqual(stored.map(({ reservationId }) => reservationId));
  const over = (upToSeq: number, ids: readonly string[]) =>
    audit.overLimit(eventId, { unitsPerBuyer: 1, upToSeq, ids });
  const ids = stored.map(({ reservationId }) => reservationId);
  expect(await over(lastSeq, ids)).toEqual([{ id: ids[0], bucket: 0 }]);
  expect(await over(lastSeq, ids.slice(2, 3))).toEqual([{ id: ids[0], bucket: 0 }]);
  expect(await over(rows[0]?.seq ?? 0, ids)).toEqual([]);
  expect(await over(lastSeq, ids.slice(3))).toEqual([]);
  expect(await audit.countRows(eventId, lastSeq)).toBe(6);
  await bed.sql('DELETE FROM orders WHERE id = ?', [ids[5]]);
  expect(await audit.countRows(eventId, lastSeq)).toBe(5);
  expect((await audit.now(eventId)).deletions).not.toBe(deletions);
});
