import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PHASES, type Phase } from '../../operator/api/status.ts';
import { plan } from '../../operator/plan/plan.ts';
import { REASONS } from '../../operator/plan/reasons.ts';
import { anEvent, aSale, aStock, END_MS, MINUTE_MS, observed, type Seen, START_MS } from './sights.ts';

const late = anEvent({}, { createdMs: START_MS + 1 });
const before = START_MS - MINUTE_MS;

/** what is so, what is seen, phase, reason */
const TABLE: readonly [string, Seen, Phase, keyof typeof REASONS][] = [
  ['a week before', { nowMs: START_MS - 7 * 86_400_000, sale: undefined, stock: 'unread' }, 'Scheduled', 'Waiting'],
  [
    'opened in the ledger, too early to preheat',
    {
      nowMs: START_MS - 11 * MINUTE_MS,
      sale: aSale({ state: 'warming', generation: 0, runs: [], armed: false }),
      stock: 'missing',
    },
    'Scheduled',
    'Waiting',
  ],
  ['at preheat', { nowMs: START_MS - 10 * MINUTE_MS, sale: undefined, stock: 'unread' }, 'Preheating', 'Preheating'],
  [
    'preheated, not armed',
    { nowMs: before, sale: aSale({ armed: false }), stock: aStock({ mode: 'unarmed' }) },
    'Preheating',
    'ChecksFailing',
  ],
  [
    'armed in the ledger, not yet in Redis',
    { nowMs: before, sale: aSale(), stock: aStock({ mode: 'unarmed' }) },
    'Preheating',
    'ChecksFailing',
  ],
  ['armed', { nowMs: before }, 'Armed', 'ArmedByClock'],
  [
    'armed and paused before the start',
    { nowMs: before, sale: aSale({ paused: true }), stock: aStock({ mode: 'paused' }) },
    'Armed',
    'ArmedByClock',
  ],
  ['in the opening millisecond', { nowMs: START_MS }, 'Open', 'WindowOpen'],
  ['open with Redis out of sight', { stock: 'away' }, 'Open', 'WindowOpen'],
  ['paused', { sale: aSale({ paused: true }), stock: aStock({ mode: 'paused' }) }, 'Paused', 'PausedBySpec'],
  ['with nothing available', { stock: aStock({ availableUnits: 0, heldUnits: 1_000 }) }, 'SoldOut', 'NoUnitsLeft'],
  ['at the end', { nowMs: END_MS }, 'Closing', 'WindowEnded'],
  [
    'closed by the ledger',
    { sale: aSale({ closed: true }), stock: aStock({ closed: true }) },
    'Closing',
    'ClosedBySpec',
  ],
  ['being deleted', { event: anEvent({}, { deletionMs: START_MS }) }, 'Closing', 'Deleted'],
  ['settled', { nowMs: END_MS + 1, sale: aSale({ state: 'settled' }) }, 'Settled', 'AllSettled'],
  [
    'settled and never armed',
    { nowMs: END_MS + 1, sale: aSale({ state: 'settled', armed: false }) },
    'Failed',
    'NeverArmed',
  ],
  [
    'recovering by the ledger',
    { sale: aSale({ state: 'recovering' }), stock: aStock({ mode: 'recovering' }) },
    'Recovering',
    'Rebuilding',
  ],
  ['with keys missing', { stock: 'missing' }, 'Recovering', 'KeysMissing'],
  ['with another run of Redis', { run: 'run-b.replid-b' }, 'Recovering', 'RunChanged'],
  ['with the law broken', { stock: aStock({ lawHolds: false }) }, 'Recovering', 'LawBroken'],
  [
    'with stock of an older generation',
    { sale: aSale({ generation: 2 }), stock: aStock({ generation: 1 }) },
    'Recovering',
    'GenerationDiffers',
  ],
  ['with trouble after the end', { nowMs: END_MS + 1, stock: 'missing' }, 'Recovering', 'KeysMissing'],
  ['applied after the start', { event: late, sale: undefined, stock: 'unread' }, 'Preheating', 'LateStart'],
  [
    'applied after the start, not armed yet',
    { event: late, sale: aSale({ armed: false }), stock: aStock({ mode: 'unarmed' }) },
    'Preheating',
    'LateStart',
  ],
  ['applied after the start, open', { event: late }, 'Open', 'LateStart'],
  ['applied after the end', { nowMs: END_MS, sale: undefined, stock: 'unread' }, 'Failed', 'WindowMissed'],
  [
    'closed before any preheat',
    { nowMs: before, event: anEvent({ 'spec.closed': true }), sale: undefined, stock: 'unread' },
    'Failed',
    'ClosedBeforeOpening',
  ],
  [
    'made anew with another price while the former one sells',
    { event: anEvent({ 'spec.product.priceMinor': 1 }, { uid: 'uid-2' }) },
    'Scheduled',
    'PredecessorUnsettled',
  ],
  [
    'made anew with the start of a settled sale',
    { event: anEvent({}, { uid: 'uid-2' }), sale: aSale({ state: 'settled' }) },
    'Failed',
    'AlreadySettled',
  ],
  [
    'before preheat without a ledger',
    { nowMs: START_MS - 86_400_000, sale: 'away', stock: 'unread' },
    'Scheduled',
    'Waiting',
  ],
  ['at preheat without a ledger', { nowMs: before, sale: 'away', stock: 'unread' }, 'Preheating', 'LedgerUnreachable'],
];

describe('the phase of an event', () => {
  test.each(TABLE)('that is %s', (_what, seen, phase, reason) => {
    const { status } = plan(observed(seen));
    expect({ phase: status.phase, reason: status.reason }).toEqual({ phase, reason });
    expect(status.message).toBe(REASONS[reason]);
  });

  test('goes on by what Redis shows while the ledger is away', () => {
    const seen = observed();
    const { status, actions } = plan({ ...seen, ledger: { reachable: false, why: 'it is away' } });
    expect(status.phase).toBe('Open');
    expect(actions.filter(({ kind }) => kind !== 'scale')).toEqual([]);
    expect(status.conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'LedgerUnreachable',
    });
  });

  test('stays as it was last seen when neither ledger nor Redis can be seen', () => {
    const { status } = plan(observed());
    const event = { ...anEvent(), status };
    expect(plan(observed({ event, sale: 'away', stock: 'away' })).status).toMatchObject({
      phase: 'Open',
      eventId: 'shop.phone-x.1',
    });
  });
});

/** Any sight at all, also contradictory ones. */
const anySight = fc.record({
  nowMs: fc.integer({ min: START_MS - 90 * MINUTE_MS, max: END_MS + 90 * MINUTE_MS }),
  createdMs: fc.constantFrom(START_MS - 86_400_000, START_MS + 1, END_MS + 1),
  deleting: fc.boolean(),
  specClosed: fc.boolean(),
  specPaused: fc.boolean(),
  uid: fc.constantFrom('uid-1', 'uid-0'),
  ledger: fc.constantFrom('sale', 'none', 'away'),
  state: fc.constantFrom('warming', 'warmed', 'recovering', 'settled'),
  generation: fc.integer({ min: 0, max: 3 }),
  armed: fc.boolean(),
  paused: fc.boolean(),
  closed: fc.boolean(),
  startMs: fc.constantFrom(START_MS, START_MS + MINUTE_MS),
  run: fc.constantFrom('run-a.replid-a', 'run-b.replid-b'),
  stock: fc.constantFrom('stock', 'missing', 'unread', 'away'),
  mode: fc.constantFrom('unarmed', 'selling', 'paused', 'recovering'),
  available: fc.constantFrom(0, 1_000),
  lawHolds: fc.boolean(),
  facts: fc.boolean(),
});

type AnySight = typeof anySight extends fc.Arbitrary<infer T> ? T : never;

function sightOf(any: AnySight): Seen {
  const meta = { createdMs: any.createdMs, ...(any.deleting ? { deletionMs: any.createdMs } : {}) };
  const { state, generation, armed, paused, closed, startMs, uid } = any;
  const sale = aSale({ state, generation, armed, paused, closed, startMs, uid } as Partial<ReturnType<typeof aSale>>);
  const stock = aStock({
    ...{ generation: 1, availableUnits: any.available, heldUnits: 1_000 - any.available, lawHolds: any.lawHolds },
    mode: any.mode as 'selling',
  });
  return {
    nowMs: any.nowMs,
    event: anEvent({ 'spec.closed': any.specClosed, 'spec.paused': any.specPaused }, meta),
    sale: any.ledger === 'sale' ? sale : any.ledger === 'none' ? undefined : 'away',
    stock: any.stock === 'stock' ? stock : (any.stock as 'missing'),
    run: any.run,
    ...(any.facts ? {} : { facts: undefined }),
  };
}

/** Phases in the order in which a sale goes through them; those of one rank may alternate. */
const RANK: Record<Phase, number> = {
  Scheduled: 0,
  Preheating: 1,
  Armed: 2,
  Open: 3,
  Paused: 3,
  SoldOut: 3,
  Recovering: 3,
  Closing: 4,
  Settled: 5,
  Failed: 5,
};

describe('the plan', () => {
  test('has an answer for everything that can be seen', () => {
    fc.assert(
      fc.property(anySight, (any) => {
        const { status, requeueAtMs } = plan(observed(sightOf(any)));
        expect(PHASES).toContain(status.phase);
        expect(REASONS).toHaveProperty(status.reason);
        expect(requeueAtMs).toBeGreaterThan(any.nowMs);
        for (const condition of status.conditions) expect(REASONS).toHaveProperty(condition.reason);
      }),
      { numRuns: 2_000 },
    );
  });

  test('never goes back while the clock goes on and nothing else changes', () => {
    fc.assert(
      fc.property(anySight, fc.integer({ min: 0, max: 300 * MINUTE_MS }), (any, laterByMs) => {
        const first = plan(observed(sightOf(any))).status.phase;
        const later = plan(observed(sightOf({ ...any, nowMs: any.nowMs + laterByMs }))).status.phase;
        // A rebuild may take place anywhere on the way.
        if (first === 'Recovering' || later === 'Recovering') return;
        expect(RANK[later]).toBeGreaterThanOrEqual(RANK[first]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('does nothing to a sale without the word of the ledger', () => {
    fc.assert(
      fc.property(anySight, (any) => {
        const { actions } = plan(observed(sightOf({ ...any, ledger: 'away' })));
        const kinds = actions
          .map(({ kind }) => kind)
          .filter((kind) => !['scale', 'remove-workload', 'add-finalizer'].includes(kind));
        expect(kinds).toEqual([]);
      }),
    );
  });

  test('looks again no later than the next moment at which the clock changes something', () => {
    fc.assert(
      fc.property(anySight, (any) => {
        const seen = sightOf({ ...any, startMs: START_MS });
        const edges = [START_MS - 10 * MINUTE_MS, START_MS - 5 * MINUTE_MS, START_MS, END_MS];
        const next = edges.find((edge) => edge > any.nowMs) ?? Number.POSITIVE_INFINITY;
        expect(plan(observed(seen)).requeueAtMs).toBeLessThanOrEqual(next);
      }),
    );
  });
});
