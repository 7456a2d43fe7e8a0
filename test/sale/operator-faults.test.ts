import { describe, expect, test } from 'vitest';
import { FAULT_POINTS, type FaultPoint } from '../../services/kit/fault-points.ts';
import { recordFault, saidOf, stopwatch } from '../faults/record.ts';
import { pointsOf } from './harness/faults.ts';
import { expectSoldOut } from './harness/judge.ts';
import { operators } from './harness/operators.ts';
import { applySale, type Sale } from './harness/sale.ts';
import { stand } from './harness/stand.ts';

/** An operator that dies takes a second to be replaced; here the next one is started by hand. */
const REACHED_DEADLINE_MS = 60_000;
/** Far more than it takes; a machine may be busy. */
const timeout = 240_000;
const STEPS = ['preheat', 'arm', 'adjust', 'recover', 'settle'] as const;

const platform = stand({ redis: { appendfsync: 'always' }, operators: 0 });
const leaders = operators(platform);

/** One operator after the other, each dying at its point; then one that lives. What each does is begun by the last. */
async function killAtEach(
  points: readonly FaultPoint[],
  provoke: (point: FaultPoint, index: number) => unknown = () => undefined,
): Promise<void> {
  for (const [index, point] of points.entries()) {
    const operator = await leaders.start(platform.faults.environmentOf(point));
    await provoke(point, index);
    await platform.faults.untilReached([point], () => undefined, REACHED_DEADLINE_MS);
    await operator.exited;
  }
}

/** What the status says of a sale whose operators are all dead. */
async function asItWas(sale: Sale, type: string): Promise<string> {
  return `${saidOf(await sale.status(), type)} (as it was)`;
}

describe('an operator that is killed with -9', () => {
  test('at each step of the preheat and of the arming leaves a sale that opens and is exact', { timeout }, async () => {
    const sale = applySale(platform, { units: 80 });
    await killAtEach([...pointsOf('operator.preheat'), ...pointsOf('operator.arm')]);
    const said = await asItWas(sale, 'Armed');
    const sinceStart = stopwatch();
    await leaders.start();
    await sale.open();
    recordFault('killed-preheating', { said, seconds: sinceStart() });
    const crowd = await sale.play({ buyers: 160, overMs: 1_000 });
    expectSoldOut(await sale.finish([crowd]), 80);
  });

  test('at each step of a change leaves the stock that the manifest says, while it sells', { timeout }, async () => {
    const sale = applySale(platform, { units: 1_000 });
    const first = await leaders.start();
    await sale.open();
    await first.kill();
    // Less, more, less, more: each is accepted by one operator and brought to its end by another.
    const totals = [500, 1_200, 600, 900];
    const plays = await sale.playDuring(async () => {
      await killAtEach(pointsOf('operator.adjust'), (_point, index) => {
        sale.change({ units: totals[index % totals.length] ?? 0 });
      });
      const said = await asItWas(sale, 'Ready');
      const sinceStart = stopwatch();
      await leaders.start();
      await sale.untilTotal(900);
      recordFault('killed-adjusting', { said, seconds: sinceStart() });
    });
    expectSoldOut(await sale.finish([...plays, await sale.sellOut()]));
  });

  test('at each step of a recovery leaves a recovery to the next, and nothing is lost', { timeout }, async () => {
    const sale = applySale(platform, { units: 1_000 });
    const first = await leaders.start();
    await sale.open();
    await first.kill();
    const crowd = await sale.play({ buyers: 100, overMs: 1_000 });
    await crowd.untilHeld(40);
    const plays = await sale.playDuring(async () => {
      await platform.redis.kill('SIGKILL');
      await platform.redis.start();
      await killAtEach(pointsOf('operator.recover'));
      const said = await asItWas(sale, 'Ready');
      const sinceStart = stopwatch();
      await leaders.start();
      await sale.untilFollowed();
      recordFault('killed-recovering', { said, seconds: sinceStart() });
    });
    const judgement = await sale.finish([crowd, ...plays, await sale.sellOut()]);
    expectSoldOut(judgement);
    expect(judgement.counts.rebuilds).toBeGreaterThan(0);
  });

  test('at each step of the settlement leaves a settlement that is written once', { timeout }, async () => {
    const sale = applySale(platform, { units: 50 });
    const first = await leaders.start();
    await sale.open();
    platform.signal('order', 'SIGSTOP');
    const crowd = await sale.play({ buyers: 100, overMs: 500 });
    await crowd.result;
    sale.change({ closed: true });
    // Nothing is settled while orders are on their way.
    await sale.until('waiting for its orders', ({ conditions }) =>
      conditions.some(({ type, reason }) => type === 'Settled' && reason === 'PipelineNotDrained'),
    );
    await first.kill();
    platform.signal('order', 'SIGCONT');
    await killAtEach(pointsOf('operator.settle'));
    const said = await asItWas(sale, 'Settled');
    const sinceStart = stopwatch();
    await leaders.start();
    await sale.until('settled', ({ phase }) => phase === 'Settled');
    recordFault('killed-settling', { said, seconds: sinceStart() });
    expectSoldOut(await sale.finish([crowd]), 50);
  });

  test('has no other points: this file kills it at all of them', () => {
    const visited = STEPS.flatMap((step) => pointsOf(`operator.${step}`));
    expect(visited).toEqual(FAULT_POINTS.filter((point) => point.startsWith('operator.')));
  });
});

describe('two operators that both lead, all the time', () => {
  test('change nothing twice: the sale is preheated, edited, rebuilt and settled exactly once', {
    timeout,
  }, async () => {
    const both = [await leaders.start(), await leaders.start()];
    const sale = applySale(platform, { units: 1_000 });
    await sale.open();
    const plays = await sale.playDuring(async () => {
      sale.change({ units: 1_500 });
      await sale.untilTotal(1_500);
      sale.change({ units: 900 });
      await sale.untilTotal(900);
      await platform.redis.kill('SIGKILL');
      await platform.redis.start();
      // One of them is stopped in the middle of whatever it does, and wakes up in a world that went on without it.
      await sale.untilGeneration(2);
      both[0]?.signal('SIGSTOP');
      await sale.untilFollowed();
      both[0]?.signal('SIGCONT');
    });
    expectSoldOut(await sale.finish([...plays, await sale.sellOut()]));
    expect(both.map((operator) => operator.isAlive())).toEqual([true, true]);
  });
});
