import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERRORS, isSeckillError, SeckillError } from '../../services/domain/errors.ts';

it('docs/errors.md says of every code what the table says, and knows no other', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(SECKILL_ERR_\w+)` \| (\d+) \| (yes|no) \| (.*) \|$/gm)];
  const documented = rows.map(([, code, status, again, message]) => [
    code,
    { status: Number(status), retryable: again === 'yes', message },
  ]);
  expect(documented).toHaveLength(Object.keys(ERRORS).length);
  expect(Object.fromEntries(documented)).toEqual(ERRORS);
  // A code that the text names outside of its tables exists, too.
  const named = new Set(text.match(/SECKILL_ERR_\w+/g));
  expect([...named].filter((code) => !(code in ERRORS))).toEqual([]);
});

it('an error keeps its code, its cause, and the message of the table unless it has its own', () => {
  const cause = new Error('connection reset');
  const error = new SeckillError('SECKILL_ERR_UNAVAILABLE', undefined, { cause });
  expect(error.message).toBe(ERRORS.SECKILL_ERR_UNAVAILABLE.message);
  expect(error.cause).toBe(cause);
  expect(isSeckillError(error)).toBe(true);
  expect(isSeckillError(error, 'SECKILL_ERR_CONFIG')).toBe(false);
  expect(isSeckillError(cause)).toBe(false);
});
