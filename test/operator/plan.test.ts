import { describe, expect, test } from 'vitest';
import { STATUS_MESSAGE_MAX_CHARS } from '../../operator/api/limits.ts';
import { ARMING_CHECKS, runChecks } from '../../operator/plan/arming.ts';
import { floorOf } from '../../operator/plan/floor.ts';
import type { Facts } from '../../operator/plan/observed.ts';
import { plan } from '../../operator/plan/plan.ts';
import {
  anEvent,
  aSale,
  aStock,
  aWorkload,
  END_MS,
  GOOD_FACTS,
  MINUTE_MS,
  observed,
  type Seen,
  START_MS,
} from './sights.ts';

const before = START_MS - MINUTE_MS;
const PLATFORM_ACTIONS = ['scale', 'remove-workload'];
const unarmed = { nowMs: before, sale: aSale({ armed: false }), stock: aStock({ mode: 'unarmed' }) } as const;
const settled = { nowMs: END_MS + 1, sale: aSale({ state: 'settled' }) } as const;
const deleted = anEvent({}, { deletionMs: START_MS });
const abandoned = anEvent({}, { deletionMs: START_MS, annotations: { 'seckill.io/abandon': 'true' } });

const givenUp: Seen = { event: abandoned, sale: 'away', workload: undefined };

/** what is so, what is seen, what is done to the sale */
const TABLE: readonly [string, Seen, string[]][] = [
  [
    'a new object',
    { event: anEvent({}, { finalizers: [] }), nowMs: START_MS - 86_400_000, sale: undefined, stock: 'unread' },
    ['add-finalizer', 'open'],
  ],
  [
    'opened as wished, waiting',
    { nowMs: START_MS - 86_400_000, sale: aSale({ state: 'warming', generation: 0 }), stock: 'missing' },
    [],
  ],
  [
    'changed before its preheat',
    {
      nowMs: START_MS - 86_400_000,
      event: anEvent({ 'spec.stock.totalUnits': 5 }),
      sale: aSale({ state: 'warming', generation: 0 }),
      stock: 'missing',
    },
    ['open'],
  ],
  [
    'due for preheat',
    { nowMs: before, sale: aSale({ state: 'warming', generation: 0 }), stock: 'missing' },
    ['preheat'],
  ],
  [
    'due for preheat without Redis',
    { nowMs: before, sale: aSale({ state: 'warming', generation: 0 }), stock: 'away' },
    [],
  ],
  ['unarmed, all checks passed', { ...unarmed }, ['arm']],
  ['unarmed, nothing asked yet', { ...unarmed, facts: undefined }, []],
  ['unarmed, one pod too few', { ...unarmed, workload: aWorkload({ ready: 1 }) }, []],
  ['unarmed after its end', { ...unarmed, nowMs: END_MS }, ['settle']],
  ['armed in the ledger only', { nowMs: before, stock: aStock({ mode: 'unarmed' }) }, ['arm']],
  ['armed, all well', { nowMs: before }, []],
  ['open, all well', {}, []],
  ['open, unknown to the pods', { registered: false }, ['register']],
  ['open, keys missing', { stock: 'missing' }, ['recover']],
  ['recovering', { sale: aSale({ state: 'recovering' }), stock: aStock({ mode: 'recovering' }) }, ['recover']],
  ['recovering without Redis', { sale: aSale({ state: 'recovering' }), stock: 'away' }, []],
  ['asked to pause', { event: anEvent({ 'spec.paused': true }) }, ['adjust']],
  ['asked to grow', { event: anEvent({ 'spec.stock.totalUnits': 2_000 }) }, ['adjust']],
  ['a change that Redis has not taken', { sale: aSale({ revision: 2 }) }, ['adjust']],
  [
    'a shrink that the ledger has not taken',
    { sale: aSale({ targetUnits: 1_000, totalUnits: 1_000 }), stock: aStock({ totalUnits: 900, availableUnits: 900 }) },
    ['adjust'],
  ],
  ['asked to end earlier', { event: anEvent({ 'spec.schedule.endTime': '2026-12-12T12:30:00Z' }) }, []],
  ['asked to end later', { event: anEvent({ 'spec.schedule.endTime': '2026-12-12T14:00:00Z' }) }, ['adjust']],
  [
    'asked to end later when it is over',
    { nowMs: END_MS, event: anEvent({ 'spec.schedule.endTime': '2026-12-12T14:00:00Z' }) },
    ['settle'],
  ],
  ['a frozen field changed', { event: anEvent({ 'spec.product.priceMinor': 1 }) }, []],
  ['over', { nowMs: END_MS }, ['settle']],
  ['settled, still known to the pods', { ...settled }, ['unregister']],
  ['settled', { ...settled, registered: false }, []],
  [
    'window missed with a preheat begun',
    { nowMs: END_MS, sale: aSale({ state: 'warming', generation: 2, armed: false }), stock: 'missing' },
    ['settle-unsold'],
  ],
  ['deleted while open', { event: deleted }, ['adjust']],
  [
    'deleted and closed',
    { event: deleted, sale: aSale({ closed: true }), stock: aStock({ closed: true }) },
    ['settle'],
  ],
  ['deleted and settled, with pods', { ...settled, event: deleted, registered: false }, []],
  [
    'deleted and settled, no pods',
    { ...settled, event: deleted, registered: false, workload: undefined },
    ['remove-stock'],
  ],
  [
    'deleted, nothing left',
    { ...settled, event: deleted, registered: false, workload: undefined, stock: 'missing' },
    ['remove-finalizer'],
  ],
  [
    'deleted before its preheat',
    {
      event: deleted,
      nowMs: before,
      sale: aSale({ state: 'warming', generation: 0 }),
      stock: 'missing',
      workload: undefined,
    },
    ['remove-finalizer'],
  ],
  ['deleted, ledger away', { event: deleted, sale: 'away', stock: 'unread', workload: undefined }, []],
  ['deleted and settled, Redis away', { ...settled, event: deleted, stock: 'away', workload: undefined }, []],
  ['abandoned while open', { event: abandoned, workload: undefined }, ['unregister']],
  ['abandoned, known to the pods, ledger away', { ...givenUp, registered: true }, ['unregister']],
  ['abandoned, unknown to the pods, ledger away', givenUp, ['remove-finalizer']],
  ['abandoned, ledger and Redis away', { ...givenUp, stock: 'away' }, ['remove-finalizer']],
  ['abandoned, ledger and Redis away, with pods', { ...givenUp, stock: 'away', workload: aWorkload() }, []],
  ['made anew with the same frozen fields', { event: anEvent({}, { uid: 'uid-2' }) }, ['open']],
  ['made anew with another price', { event: anEvent({ 'spec.product.priceMinor': 1 }, { uid: 'uid-2' }) }, []],
  [
    'made anew with another price, the former one over',
    { event: anEvent({ 'spec.product.priceMinor': 1 }, { uid: 'uid-2' }), nowMs: END_MS },
    ['settle'],
  ],
  [
    'made anew with the start of a settled sale',
    { event: anEvent({}, { uid: 'uid-2' }), sale: aSale({ state: 'settled' }) },
    [],
  ],
  [
    'made anew with another start after a settled sale',
    {
      nowMs: before,
      event: anEvent({ 'spec.schedule.startTime': '2026-12-12T12:30:00Z' }, { uid: 'uid-2' }),
      sale: aSale({ state: 'settled', startMs: START_MS - 86_400_000 }),
      stock: 'missing',
    },
    ['open'],
  ],
];

describe('an event that is', () => {
  test.each(TABLE)('%s', (_what, seen, kinds) => {
    const done = plan(observed(seen)).actions.map(({ kind }) => kind);
    expect(done.filter((kind) => !PLATFORM_ACTIONS.includes(kind))).toEqual(kinds);
  });
});

describe('the next look', () => {
  const anew = (spec: Record<string, unknown>) => anEvent(spec, { uid: 'uid-2' });
  test.each([
    ['a sale that is open', {}, 1_000],
    ['one that waits for its predecessor', { event: anew({ 'spec.product.priceMinor': 1 }) }, 1_000],
    [
      'one that was settled before, which nothing changes',
      { nowMs: END_MS, event: anew({}), sale: aSale({ state: 'settled' }) },
      300_000,
    ],
  ])('at %s comes in time', (_what, seen: Seen, afterMs) => {
    const now = observed(seen);
    expect(plan(now).requeueAtMs - now.nowMs).toBe(afterMs);
  });
});

describe('the floor of pods', () => {
  const event = anEvent({
    'spec.scaling.minReplicas': 2,
    'spec.scaling.openReplicas': 20,
    'spec.schedule.preheatSeconds': 600,
    'spec.schedule.prescaleSeconds': 300,
  });
  test.each([
    ['a day before', START_MS - 86_400_000, undefined, 0],
    ['a millisecond before the preheat', START_MS - 600_001, undefined, 0],
    ['at the preheat', START_MS - 600_000, undefined, 2],
    ['a millisecond before the pre-scale', START_MS - 300_001, aSale(), 2],
    ['at the pre-scale', START_MS - 300_000, aSale(), 20],
    ['while open', START_MS + MINUTE_MS, aSale(), 20],
    ['after the end', END_MS, aSale(), 2],
    ['after it was closed', START_MS + MINUTE_MS, aSale({ closed: true }), 2],
    ['after the settlement', END_MS, aSale({ state: 'settled' }), 0],
    ['after the end without ever having been preheated', END_MS, undefined, 0],
    ['while recovering', START_MS + MINUTE_MS, aSale({ state: 'recovering' }), 20],
  ])('%s', (_what, nowMs, sale, floor) => {
    expect(floorOf(nowMs, event, sale)).toBe(floor);
  });

  test('begins with the pre-scale when that is earlier than the preheat', () => {
    const early = anEvent({
      'spec.schedule.preheatSeconds': 60,
      'spec.schedule.prescaleSeconds': 900,
      'spec.scaling.openReplicas': 4,
    });
    expect(floorOf(START_MS - 900_000, early, undefined)).toBe(4);
    expect(floorOf(START_MS - 900_001, early, undefined)).toBe(0);
  });

  test('follows the start that was preheated, not the one that was written later', () => {
    const moved = anEvent({ 'spec.schedule.startTime': '2026-12-12T12:59:00Z' });
    expect(plan(observed({ event: moved })).actions).toContainEqual(
      expect.objectContaining({ kind: 'scale', floor: 2 }),
    );
    expect(floorOf(START_MS, moved, aSale())).toBe(2);
  });

  test('lets no pod go that only the silence of the ledger calls unneeded', () => {
    const { actions } = plan(observed({ nowMs: END_MS + 1, sale: 'away', stock: 'away' }));
    expect(actions).toEqual([]);
  });

  test('is none for a sale that is abandoned, whoever is away', () => {
    const { actions } = plan(observed({ event: abandoned, sale: 'away', stock: 'away' }));
    expect(actions).toEqual([{ kind: 'remove-workload' }]);
  });

  test('is none for a sale that may not begin, whatever the clock says', () => {
    const { actions } = plan(observed({ event: anEvent({}, { uid: 'uid-2' }), sale: aSale({ state: 'settled' }) }));
    expect(actions).toEqual([{ kind: 'remove-workload' }]);
  });
});

describe('another pod template of the release', () => {
  const pending = aWorkload({ updatePending: true });
  const now = anEvent({}, { annotations: { 'seckill.io/update': 'now' } });
  test.each([
    ['is taken before the pre-scale', { nowMs: START_MS - 300_001 }, 'now', 'False'],
    ['waits from the pre-scale on', { nowMs: START_MS - 300_000 }, 'wait', 'True'],
    ['waits while the sale is open', {}, 'wait', 'True'],
    ['is taken when somebody asks for it', { event: now }, 'now', 'False'],
    ['is taken by a pool that has nothing to lose', { workload: { ...pending, ready: 0 } }, 'now', 'False'],
    ['is taken after closing', { sale: aSale({ closed: true }) }, 'now', 'False'],
    ['is taken after the end', { nowMs: END_MS }, 'now', 'False'],
  ] as const)('%s', (_what, seen, updates, waits) => {
    const { actions, status } = plan(observed({ workload: pending, ...seen }));
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'scale', updates }));
    const condition = status.conditions.find(({ type }) => type === 'UpdatePending');
    expect(condition).toMatchObject({ status: waits });
  });

  test('is nothing to wait for when there is none', () => {
    const { status } = plan(observed());
    expect(status.conditions.find(({ type }) => type === 'UpdatePending')).toMatchObject({ reason: 'NoUpdateWaits' });
  });
});

describe('the checks before arming', () => {
  const { redis, ledger } = GOOD_FACTS;
  if (redis === undefined || ledger === undefined) throw new Error('the good facts are complete');
  const topic = { exists: true, partitions: 12, replicas: 3, inSyncReplicas: 3, minInsyncReplicas: 2 } as const;
  /** name of the check that must fail, alone; what is seen; what is said */
  const FAILING: readonly [string, { facts?: Partial<Facts>; seen?: Seen }, RegExp][] = [
    [
      'RedisPolicy',
      { facts: { redis: { ...redis, maxmemoryPolicy: 'allkeys-lru' } } },
      /must be noeviction, it is allkeys-lru/,
    ],
    ['RedisAof', { facts: { redis: { ...redis, aofEnabled: false } } }, /appendonly must be yes/],
    ['RedisMemory', { facts: { redis: { ...redis, maxmemoryBytes: 1_500_000 } } }, /2 MiB will be needed/],
    ['RedisReplicas', { facts: { redis: { ...redis, connectedReplicas: 1 } } }, /min-replicas-to-write/],
    ['RedisReplicas', { facts: { redis: { ...redis, role: 'slave' } } }, /must be a master/],
    [
      'StockCounts',
      { seen: { stock: aStock({ mode: 'unarmed', totalUnits: 999 }) } },
      /holds 999 units, the ledger says 1000/,
    ],
    ['StockCounts', { seen: { stock: aStock({ lawHolds: false }) } }, /not available \+ held \+ committed/],
    ['StockCounts', { seen: { stock: 'missing' } }, /does not answer/],
    ['Topic', { facts: { topic: { exists: false } } }, /does not exist/],
    ['Topic', { facts: { topic: { ...topic, partitions: 3 } } }, /at least 12 partitions, it has 3/],
    [
      'Topic',
      { facts: { topic: { ...topic, inSyncReplicas: 1 } } },
      /1 replicas are in sync, min.insync.replicas is 2/,
    ],
    ['Topic', { facts: { topic: undefined } }, /does not answer/],
    [
      'LedgerSchema',
      { facts: { ledger: { ...ledger, pendingMigrations: ['0002-next'] } } },
      /migrations are missing: 0002-next/,
    ],
    ['LedgerSchema', { facts: { ledger: { ...ledger, strict: false } } }, /must be strict/],
    ['ClockSkew', { facts: { clockOffsetMs: -1_500 } }, /-1500 ms/],
    [
      'Autoscaler',
      { seen: { workload: aWorkload({ atCeiling: true }) } },
      /wants more than spec.scaling.maxReplicas, 1000 pods/,
    ],
    [
      'Autoscaler',
      { seen: { workload: aWorkload({ autoscalerProblem: 'there are no metrics' }) } },
      /there are no metrics/,
    ],
    [
      'Floor',
      { seen: { workload: aWorkload({ pods: 4, wanted: 4, problems: ['seckill-2 died'] }) } },
      /2 of 4 wanted pods are ready \(seckill-2 died\)/,
    ],
  ];

  const judge = ({ facts, seen }: { facts?: Partial<Facts>; seen?: Seen }) => {
    const { event, workload, redis: sight } = observed({ ...seen });
    const stock = sight.reachable && typeof sight.stock === 'object' ? sight.stock : undefined;
    return runChecks({ event, sale: aSale(), stock, workload, facts: { ...GOOD_FACTS, ...facts } });
  };

  test('all pass when everything is well', () => {
    expect(judge({}).filter(({ passed }) => !passed)).toEqual([]);
  });

  test.each(FAILING)('%s fails alone: %j', (name, input, message) => {
    const failed = judge(input).filter(({ passed }) => !passed);
    expect(failed.map((check) => check.name)).toEqual([name]);
    expect(failed[0]?.message).toMatch(message);
  });

  test('ReadyPods and the floor want two pods, or as many as the manifest has at least', () => {
    const one = aWorkload({ pods: 1, ready: 1, wanted: 1 });
    const names = (seen: Seen) =>
      judge({ seen })
        .filter(({ passed }) => !passed)
        .map(({ name }) => name);
    expect(names({ workload: one })).toEqual(['ReadyPods']);
    expect(names({ workload: one, event: anEvent({ 'spec.scaling.minReplicas': 1 }) })).toEqual([]);
    expect(names({ workload: undefined })).toEqual(['ReadyPods']);
  });

  test('have a failing case here, each of them', () => {
    const tried = new Set([...FAILING.map(([name]) => name), 'ReadyPods']);
    expect(tried).toEqual(new Set(ARMING_CHECKS.map(({ name }) => name)));
  });

  test('that only advise let the sale open degraded', () => {
    const { actions, status } = plan(observed({ ...unarmed, facts: { ...GOOD_FACTS, clockOffsetMs: 5_000 } }));
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'arm' }));
    expect(status.conditions.find(({ type }) => type === 'Degraded')).toMatchObject({
      status: 'True',
      reason: 'Degraded',
    });
  });

  test('that block are named in the condition', () => {
    const { status } = plan(observed({ ...unarmed, facts: { ...GOOD_FACTS, redis: { ...redis, aofEnabled: false } } }));
    expect(status.conditions.find(({ type }) => type === 'Armed')).toMatchObject({
      status: 'False',
      reason: 'ChecksFailing',
      message: 'RedisAof: appendonly must be yes: a restart would forget the sale',
    });
  });
});

describe('the conditions', () => {
  test('are cut before the API would refuse the whole status for them', () => {
    const problems = Array.from(
      { length: 1_000 },
      (_, pod) => `pod ${pod} cannot be scheduled: no node has room for it`,
    );
    const { status } = plan(observed({ workload: aWorkload({ pods: 1_000, wanted: 1_000, problems }) }));
    const messages = [...status.conditions, ...status.checks].map(({ message }) => message);
    expect(Math.max(...messages.map((message) => message.length))).toBe(STATUS_MESSAGE_MAX_CHARS);
  });

  const conditionOf = (seen: Seen, type: string) =>
    plan(observed(seen)).status.conditions.find((condition) => condition.type === type);

  test.each([
    ['Ready', { nowMs: START_MS - 86_400_000, sale: undefined, stock: 'unread' } as Seen, 'True', 'Accepted'],
    ['Armed', { nowMs: START_MS - 86_400_000, sale: undefined, stock: 'unread' } as Seen, 'False', 'NotYet'],
    ['Armed', { nowMs: before }, 'True', 'OnTime'],
    ['Armed', settled, 'False', 'SaleOver'],
    ['Ready', { stock: 'missing' } as Seen, 'False', 'KeysMissing'],
    ['Settled', settled, 'True', 'AllSettled'],
    ['Settled', { nowMs: END_MS }, 'False', 'InProgress'],
    ['Stalled', {}, 'False', 'NotStalled'],
    ['PodsReady', { workload: undefined }, 'False', 'FloorNotReached'],
    ['StockAccurate', {}, 'True', 'LawHolds'],
  ] as const)('%s of %j is %s, %s', (type, seen, status, reason) => {
    expect(conditionOf(seen, type)).toMatchObject({ status, reason });
  });

  test('say which frozen fields were changed, and what to do', () => {
    const event = anEvent({ 'spec.product.priceMinor': 1, 'spec.schedule.startTime': '2026-12-12T12:10:00Z' });
    expect(conditionOf({ event }, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'FrozenFieldChanged',
      message:
        'spec.product.priceMinor, spec.schedule.startTime cannot change any more. Put the former value back, or delete the event and apply it anew after it is settled.',
    });
    expect(conditionOf({ event }, 'Ready')).toMatchObject({ status: 'False', reason: 'FrozenFieldChanged' });
  });

  test.each([
    ['PredecessorUnsettled', { event: anEvent({ 'spec.product.priceMinor': 1 }, { uid: 'uid-2' }) }],
    ['AlreadySettled', { event: anEvent({}, { uid: 'uid-2' }), sale: aSale({ state: 'settled' }) }],
    ['EndNotMoved', { event: anEvent({ 'spec.schedule.endTime': '2026-12-12T12:30:00Z' }) }],
    ['StockInUse', { ...unarmed, hindrance: { reason: 'StockInUse', message: 'keys are there' } }],
  ] as const)('call an event stalled by %s', (reason, seen) => {
    expect(conditionOf(seen, 'Stalled')).toMatchObject({ status: 'True', reason });
  });

  test('keep the time of their last change while they stay the same', () => {
    const first = plan(observed()).status;
    const later = plan(observed({ nowMs: START_MS + 2 * MINUTE_MS, event: { ...anEvent(), status: first } })).status;
    expect(later).toEqual(first);
  });
});
