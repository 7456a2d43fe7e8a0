import { isDeepStrictEqual } from 'node:util';
import { CHANGE_CHECKS, mayChange } from './change-checks.ts';
import type { Manifest, SeckillEvent } from './seckill-event.ts';
import { fillIn } from './sentence.ts';
import type { Problem } from './structure.ts';

/** What a valid manifest may not change of an event that is there, all of it at once. Empty when it may be applied. */
export function checkChange(before: SeckillEvent, after: Manifest): Problem[] {
  if (isDeepStrictEqual(before.spec, after.spec) || mayChange(before)) return [];
  return CHANGE_CHECKS.filter(({ holds }) => !holds(before, after.spec)).map(({ field, sentence }) => ({
    field: `spec.${field}`,
    message: `spec.${field} ${fillIn(sentence, { self: after, oldSelf: before })}`,
  }));
}
