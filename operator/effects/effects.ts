import assert from 'node:assert/strict';
import type { RefusedEvent, SeckillEvent } from '../api/seckill-event.ts';
import type { Action } from '../plan/actions.ts';
import { adjust } from './adjust.ts';
import { arm } from './arm.ts';
import { type AuditBoard, createAuditBoard } from './audit-board.ts';
import { createAuditLoop, type RunAudit } from './audit-loop.ts';
import { DONE, type EffectDeps, hindered, type Outcome } from './deps.ts';
import { createObserve, type Observe } from './observe.ts';
import { open, preheat } from './preheat.ts';
import { type RecoverMemory, recover } from './recover.ts';
import { register, unregister } from './register.ts';
import { type SettleMemory, settle, settleUnsold } from './settle.ts';

/** The actions of a plan that change ledger, Redis or Kafka; the others are the platform's. */
export type SaleAction = Exclude<Action, { kind: 'add-finalizer' | 'remove-finalizer' | 'scale' | 'remove-workload' }>;

export interface Effects {
  observe: Observe;
  /** `signal` ends what waits, when the leadership is lost. Throws when a server fails in the middle. */
  run(event: SeckillEvent | RefusedEvent, action: SaleAction, signal: AbortSignal): Promise<Outcome>;
  /** The continuous audit of all running sales, and what it last said of each. */
  audit: { run: RunAudit; board: AuditBoard };
}

export function createEffects(deps: EffectDeps): Effects {
  const memory: SettleMemory & RecoverMemory = { drained: new Map(), draining: new Map() };
  const board = createAuditBoard(deps.clock);
  return {
    observe: createObserve(deps, board),
    audit: { run: createAuditLoop(deps, board), board },
    async run(event, action, signal) {
      switch (action.kind) {
        case 'open':
          return open(deps, accepted(event), action.wish);
        case 'preheat':
          return preheat(deps, accepted(event), action.wish);
        case 'recover':
          return recover(deps, memory, action.sale, signal);
        case 'adjust':
          return adjust(deps, action.sale, action.wish);
        case 'register':
          return register(deps, action.sale);
        case 'arm':
          return arm(deps, action.sale);
        case 'settle':
          return settle(deps, memory, action.sale, signal);
        case 'settle-unsold':
          return settleUnsold(deps, action.sale, action.reason);
        case 'unregister':
          return unregister(deps, event, action.edition);
        case 'remove-stock':
          return removeStock(deps, action.sale);
      }
    },
  };
}

function accepted(event: SeckillEvent | RefusedEvent): SeckillEvent {
  assert('spec' in event, 'nothing is begun from a spec that is not accepted');
  return event;
}

async function removeStock(
  { stock, link }: EffectDeps,
  sale: Extract<SaleAction, { kind: 'remove-stock' }>['sale'],
): Promise<Outcome> {
  const run = link.current()?.run;
  if (run === undefined) return hindered('RedisUnreachable', 'Redis does not answer');
  const { eventId, generation } = sale;
  const removed = await stock.remove({ eventId, bucket: 0, generation, run });
  if (removed.status === 'not-ready')
    return hindered('RedisUnreachable', `the stock could not be removed (${removed.reason})`);
  if (removed.status === 'refused') return hindered('StockInUse', 'Redis holds a later generation of the stock');
  return DONE;
}
