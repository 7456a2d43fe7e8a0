import { expect, test } from 'vitest';
import type { AuditState, Wrong } from '../../ledger/audit-cursors.ts';
import { firstToKeep } from '../../operator/effects/audit-state.ts';

const refs = [{ eventId: 'shop.phone.1', bucket: 0, generation: 1, run: 'a.b' }];
const wrong: Wrong[] = [{ number: 'broken', id: 'a', bucket: 0, journalId: '50-0' }];

test.each<[string, Partial<AuditState>, string, string]>([
  ['what was audited goes', {}, '90-0', '70-0'],
  ['but nothing that is younger', {}, '60-0', '60-0'],
  ['nor from the first hold on that has no order', { wrong }, '90-0', '50-0'],
  ['nor anything, while more of them are wrong than are listed', { wrong, more: { broken: 1 } }, '90-0', '0-0'],
  ['what else is wrong holds nothing', { more: { drift: 1, phantom: 2 } }, '90-0', '70-0'],
])('of the journal, %s', (_what, changes, youngerThanId, first) => {
  const state = { wrong: [], more: {}, ...changes };
  expect(firstToKeep(refs, { auditedIds: ['70-0'], state, youngerThanId })).toEqual([first]);
});
