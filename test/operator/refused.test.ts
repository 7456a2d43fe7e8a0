import { describe, expect, test } from 'vitest';
import type { RefusedEvent, SeckillEvent } from '../../operator/api/seckill-event.ts';
import { plan } from '../../operator/plan/plan.ts';
import { planRefused } from '../../operator/plan/refused.ts';
import { anEvent, aSale, aStock, aWorkload, END_MS, observed, type Seen, START_MS } from './sights.ts';

const problems = ['spec.stock.totalUnits must be a whole number from 1.'];
const refused = ({ metadata }: SeckillEvent, status?: SeckillEvent['status']): RefusedEvent => ({
  ...{ metadata, problems },
  ...(status === undefined ? {} : { status }),
});
const decided = (seen: Seen, event = refused(seen.event ?? anEvent())) => planRefused(event, observed(seen));

const deleted = anEvent({}, { deletionMs: START_MS });
const abandoned = anEvent({}, { deletionMs: START_MS, annotations: { 'seckill.io/abandon': 'true' } });
const closed = { sale: aSale({ closed: true }), stock: aStock({ closed: true }) } as const;
const over = { nowMs: END_MS + 1, sale: aSale({ state: 'settled' }), registered: false } as const;

/** what is so, what is seen, everything that is done */
const TABLE: readonly [string, Seen, string[]][] = [
  ['new', { event: anEvent({}, { finalizers: [] }), sale: undefined, stock: 'unread', workload: undefined }, []],
  ['open', {}, []],
  ['open, keys missing', { stock: 'missing' }, ['recover']],
  ['open, ledger away', { sale: 'away' }, []],
  ['over', { nowMs: END_MS }, ['settle']],
  ['settled', over, ['remove-workload']],
  ['deleted before its preheat', { event: deleted, sale: undefined, workload: undefined }, ['remove-finalizer']],
  [
    'deleted in its preheat',
    { event: deleted, sale: aSale({ state: 'warming', armed: false }), stock: 'missing' },
    ['settle-unsold'],
  ],
  ['deleted while open', { event: deleted }, ['adjust']],
  ['deleted while open, keys missing', { event: deleted, stock: 'missing' }, ['recover']],
  ['deleted while open, Redis away', { event: deleted, stock: 'away' }, []],
  ['deleted and closed', { event: deleted, ...closed }, ['settle']],
  ['deleted and settled', { event: deleted, ...over, workload: undefined }, ['remove-stock']],
  ['deleted, nothing left', { event: deleted, ...over, workload: undefined, stock: 'missing' }, ['remove-finalizer']],
  ['abandoned while open', { event: abandoned }, ['remove-workload', 'unregister']],
  ['abandoned, all away', { event: abandoned, sale: 'away', stock: 'away', workload: undefined }, ['remove-finalizer']],
];

describe('an event whose spec is not accepted, and that is', () => {
  test.each(TABLE)('%s', (_what, seen, kinds) => {
    expect(decided(seen).actions.map(({ kind }) => kind)).toEqual(kinds);
  });
});

test('the end that a deletion brings keeps what was preheated', () => {
  const sale = aSale({ paused: true, targetUnits: 900 });
  const wish = { startMs: START_MS, endMs: END_MS, totalUnits: 900, paused: true, closed: true };
  expect(decided({ event: deleted, sale }).actions).toEqual([{ kind: 'adjust', sale, wish }]);
});

describe('its status', () => {
  const before = plan(observed()).status;
  const statusAt = (seen: Seen) => decided(seen, refused(seen.event ?? anEvent(), before)).status;
  const condition = (seen: Seen, type: string) => statusAt(seen)?.conditions.find((one) => one.type === type);

  test('is none where there was none', () => {
    expect(decided({}).status).toBeUndefined();
  });

  test('says what is wrong with the spec, and stays as it was otherwise', () => {
    expect(condition({}, 'Stalled')).toMatchObject({ status: 'True', reason: 'SpecInvalid' });
    expect(condition({}, 'Ready')).toMatchObject({
      status: 'False',
      message: expect.stringContaining(problems.join()),
    });
    expect(condition({}, 'Settled')).toMatchObject({ status: 'False' });
    expect(statusAt({})).toMatchObject({ phase: 'Open', checks: before.checks });
  });

  test('says that its sale is settled, for which people wait', () => {
    expect(statusAt(over)).toMatchObject({ phase: 'Settled', reason: 'AllSettled' });
    expect(condition(over, 'Settled')).toMatchObject({ status: 'True' });
    expect(statusAt({ ...over, sale: aSale({ state: 'settled', armed: false }) })?.phase).toBe('Failed');
  });

  test('stays the same while nothing changes', () => {
    const first = statusAt({});
    expect(planRefused(refused(anEvent(), first), observed({ workload: aWorkload({ ready: 1 }) })).status).toEqual(
      first,
    );
  });
});
