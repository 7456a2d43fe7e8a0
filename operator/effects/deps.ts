import type { Ledger } from '../../ledger/ledger.ts';
import type { RedisLink } from '../../lua/connection.ts';
import type { Journal } from '../../lua/journal.ts';
import type { Stock } from '../../lua/stock.ts';
import type { Clock } from '../../services/kit/clock.ts';
import type { Faults } from '../../services/kit/fault-points.ts';
import type { KafkaPort } from '../../services/kit/kafka/port.ts';
import type { Log } from '../../services/kit/log.ts';

/** What the effects work with. Each effect is the same on every platform. */
export interface EffectDeps {
  link: RedisLink;
  stock: Stock;
  journal: Journal;
  ledger: Ledger;
  kafka: KafkaPort;
  admin: ReturnType<KafkaPort['admin']>;
  faults: Faults;
  clock: Clock;
  log: Log;
}

/**
 * What became of an effect. `lost`: another leader, or a change meanwhile, was faster: look again. `hindered`: it
 * cannot be done now, for a reason that people may want to know; it is tried again after a while.
 */
export type Outcome = { status: 'done' } | { status: 'lost' } | { status: 'hindered'; reason: string; message: string };

export const DONE: Outcome = { status: 'done' };
export const LOST: Outcome = { status: 'lost' };

export function hindered(reason: string, message: string): Outcome {
  return { status: 'hindered', reason, message };
}
