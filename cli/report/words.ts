import type { Accuracy } from '../../services/domain/accounting.ts';
import type { Outcome } from '../load/outcome.ts';

/** What people call the outcomes. */
export const OUTCOME_WORDS: Record<Outcome, string> = {
  held: 'won',
  soldOut: 'sold out',
  limitExceeded: 'over the limit',
  refused: 'refused',
  unknown: 'unknown',
  failed: 'failed',
};

/** What each of the six numbers counts. */
export const ACCURACY_WORDS: Record<keyof Accuracy, string> = {
  oversold: 'units sold above the total',
  undersold: 'units left although somebody eligible was refused',
  broken: 'buyers told "yes" without an order',
  phantom: 'orders that nobody reserved',
  overLimit: 'buyers above their limit',
  drift: 'units or reservations on which Redis and the ledger differ',
};

/** 20000 → 20,000 */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
