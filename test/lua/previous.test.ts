import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Attempt } from '../../services/domain/reservation.ts';
import * as model from './model.ts';
import { attempt, NO_DEADLINE_MS, openWindow, type Sale, stand } from './stand.ts';

/** During an update pods of two releases work on the same keys: the scripts of the one before are kept in previous/. */

const on = stand();

const previousText = (script: string): string =>
  readFileSync(new URL(`./previous/${script}.lua`, import.meta.url), 'utf8').replace('@RUN@', on.run);

async function runPrevious(script: string, sale: Sale, first: (string | number)[], items: readonly Attempt[]) {
  const hash = String(await on.redis.script('LOAD', previousText(script)));
  const args = items.flatMap(({ reservationId, buyer, units }) => [reservationId, buyer, units]);
  return (await on.redis.call('EVALSHA', [hash, 4, ...sale.keys, ...first, ...args])) as unknown[];
}

/** What the previous reserve says, in the words of the present stock. */
const readAnswer = (answer: unknown): model.ModelAnswer => {
  if (typeof answer === 'number') return { status: 'sold-out', unitsLeft: answer };
  const word = String(answer);
  if (/^\d+-\d+$/.test(word)) return { status: 'held' };
  const [, state] = /^exists-(.*)$/.exec(word) ?? [];
  return state === undefined ? { status: word } : { status: 'exists', state: state as 'held' };
};

const someAttempts = fc.array(
  fc
    .record({ id: fc.nat(9), abuse: fc.nat(9) })
    .map(({ id, abuse }) =>
      attempt(`buyer-${id % 3}`, abuse === 0 ? 3 : 1 + (id % 2), `00000000-0000-4000-8000-00000000000${id}`),
    ),
  { minLength: 1, maxLength: 4 },
);
const aCommand = fc.record({
  do: fc.constantFrom('reserve', 'reserve', 'commit', 'release'),
  previous: fc.boolean(),
  attempts: someAttempts,
});

test('scripts of the previous and the present release are one stock to their buyers', async () => {
  const story = fc.array(aCommand, { minLength: 5, maxLength: 25, size: 'max' });
  await fc.assert(
    fc.asyncProperty(story, async (commands) => {
      const settings = { ...openWindow(), totalUnits: 6, unitsPerBuyer: 4 };
      const sale = await on.sale(settings);
      const should = model.preheated(settings);
      model.arm(should, false);
      for (const { do: what, previous, attempts } of commands) {
        if (what === 'release') {
          expect(await on.stock.release(sale.ref, attempts)).toMatchObject({
            answers: model.release(should, attempts),
          });
        } else if (what === 'commit') {
          const expected = model.commit(should, attempts);
          const answers = previous
            ? (await runPrevious('commit', sale, [1], attempts)).slice(1)
            : ((await on.stock.commit(sale.ref, attempts)) as unknown);
          expect(answers).toEqual(previous ? expected : { status: 'done', answers: expected });
        } else {
          const expected = attempts.map((one) => model.reserve(should, one, Date.now(), NO_DEADLINE_MS));
          if (previous) {
            const [, , left, ...answers] = await runPrevious('reserve', sale, [1, NO_DEADLINE_MS], attempts);
            expect(answers.map(readAnswer)).toEqual(expected);
            expect(left).toBe(model.available(should));
          } else {
            const decision = await on.stock.reserve(sale.ref, attempts, NO_DEADLINE_MS);
            expect(decision).toMatchObject({ answers: expected, availableUnits: model.available(should) });
          }
        }
        expect(await on.stock.snapshot(sale.ref)).toMatchObject({
          lawHolds: true,
          availableUnits: model.available(should),
          heldUnits: model.unitsIn(should, 'held'),
          committedUnits: model.unitsIn(should, 'committed'),
          smallestRefusedAsk: should.smallestRefusedAsk,
        });
      }
      const journal = await on.journal.range(sale.ref.eventId, 0, '0-0', 1_000);
      expect(journal).toMatchObject(should.journal);
      await on.redis.unlink(...sale.keys);
    }),
    { numRuns: 60 },
  );
});

test('values that a later release adds at the end of a reservation disturb neither release', async () => {
  const sale = await on.sale();
  const one = attempt('ann');
  await on.redis.hset(sale.keys[2], one.reservationId, 'h 1 1-1 ann something later');
  await sale.set({ availableUnits: 9, heldUnits: 1, aLaterField: 7 });
  expect(await on.stock.reserve(sale.ref, [one], NO_DEADLINE_MS)).toMatchObject({
    answers: [{ status: 'exists', state: 'held' }],
  });
  const [, , , answer] = await runPrevious('reserve', sale, [1, NO_DEADLINE_MS], [one]);
  expect(answer).toBe('exists-held');
  expect(await on.stock.lookup(sale.ref, [one.reservationId])).toMatchObject({ reservations: [one] });
  expect(await on.stock.commit(sale.ref, [one])).toMatchObject({ answers: ['committed'] });
});
