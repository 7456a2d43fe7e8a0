import { CommanderError } from 'commander';
import { isSeckillError } from '../services/domain/errors.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** What a command that threw ends with. What commander throws it has said already. */
export function failureOf(error: unknown): { code: number; sentence?: string } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? EXIT_CODES.OK : EXIT_CODES.USAGE };
  const message = error instanceof Error ? error.message : String(error);
  const wrong = isSeckillError(error, 'SECKILL_ERR_CONFIG');
  return { code: wrong ? EXIT_CODES.USAGE : EXIT_CODES.FAILED, sentence: `seckill: ${message}\n` };
}
