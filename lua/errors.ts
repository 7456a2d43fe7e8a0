import { SeckillError } from '../services/domain/errors.ts';

/** Nothing was changed: Redis is away, or does not answer what was asked. Worth another try. */
export function unavailable(what: string, cause?: unknown): SeckillError {
  return new SeckillError('SECKILL_ERR_UNAVAILABLE', what, cause === undefined ? {} : { cause });
}
