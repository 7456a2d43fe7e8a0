import { expect, test } from 'vitest';
import { phaseNotices } from '../../operator/notices.ts';
import { plan } from '../../operator/plan/plan.ts';
import { aSale, aStock, aWorkload, GOOD_FACTS, MINUTE_MS, observed, type Seen, START_MS } from './sights.ts';

const statusOf = (seen: Seen) => plan(observed(seen)).status;
const skewed = (clockOffsetMs: number): Seen => ({ facts: { ...GOOD_FACTS, clockOffsetMs } });
const reasonsOf = (before: Seen, now: Seen) =>
  phaseNotices('shop/phone-x', statusOf(before), statusOf(now)).map(({ reason }) => reason);

test.each([
  ['a check that begins to fail', {}, skewed(1_500), ['Degraded']],
  ['the same check with another number', skewed(1_500), skewed(1_498), []],
  [
    'another check that fails beside it',
    skewed(1_500),
    { ...skewed(1_500), workload: aWorkload({ wanted: 4 }) },
    ['Degraded'],
  ],
  ['a check that passes again', skewed(1_500), {}, []],
  ['a phase', {}, { stock: aStock({ availableUnits: 0, heldUnits: 1_000 }) }, ['SoldOut']],
  [
    'a blocking check',
    { nowMs: START_MS - MINUTE_MS },
    {
      nowMs: START_MS - MINUTE_MS,
      sale: aSale({ armed: false }),
      stock: aStock({ mode: 'unarmed' }),
      workload: undefined,
    },
    ['Preheating', 'ChecksFailing'],
  ],
] as [string, Seen, Seen, string[]][])('a notice tells of %s, or of nothing new', (_what, before, now, reasons) => {
  expect(reasonsOf(before, now)).toEqual(reasons);
});
