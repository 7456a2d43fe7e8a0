import { closeSync, openSync } from 'node:fs';
import { SeckillError } from '../domain/errors.ts';

/**
 * Every place, between two effects, where a test may kill a process. The name says what has just been done or is about
 * to be done. A process passes them at no cost unless SECKILL_FAULT names one.
 */
export const FAULT_POINTS = [
  'seckill.before-reserve',
  'seckill.after-reserve',
  'seckill.before-answer',
  'relay.after-read',
  'relay.after-send',
  'relay.after-ack',
  'relay.after-dead-letter',
  'relay.after-resend',
  'order.before-store',
  'order.after-store',
  'order.after-commit',
  'order.after-void',
  'order.after-release',
  'order.after-dead-letters',
  'order.before-offsets',
  'order.after-return',
  'operator.preheat.before-generation',
  'operator.preheat.after-generation',
  'operator.preheat.after-stock',
  'operator.preheat.after-ledger',
  'operator.arm.before-ledger',
  'operator.arm.after-ledger',
  'operator.arm.after-redis',
  'operator.adjust.before-ledger',
  'operator.adjust.after-ledger',
  'operator.adjust.after-redis',
  'operator.adjust.after-total',
  'operator.recover.before-begin',
  'operator.recover.after-ledger-begin',
  'operator.recover.after-redis-begin',
  'operator.recover.after-register',
  'operator.recover.after-drain',
  'operator.recover.after-load',
  'operator.recover.before-redis-finish',
  'operator.recover.after-redis-finish',
  'operator.recover.after-ledger-finish',
  'operator.settle.after-drain',
  'operator.settle.after-audit',
  'operator.settle.after-ledger',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

export interface Faults {
  /** Dies here, by SIGKILL, when this is the point (and the pass) that was asked for. */
  at(point: FaultPoint): void;
}

export interface FaultOptions {
  /** `name`, or `name@3` for the third time that the process comes by. */
  fault?: string | undefined;
  /** A file that is created just before the death; where it exists nobody dies, so that a restart lives on. */
  marker?: string | undefined;
}

const NO_FAULTS: Faults = { at() {} };

export function createFaults({ fault, marker }: FaultOptions): Faults {
  if (fault === undefined) return NO_FAULTS;
  const [name, pass = '1', ...rest] = fault.split('@');
  const target = FAULT_POINTS.find((point) => point === name);
  if (target === undefined || !/^[1-9]\d{0,6}$/.test(pass) || rest.length > 0) {
    throw new SeckillError('SECKILL_ERR_CONFIG', `SECKILL_FAULT must be a fault point, or one with @pass: ${fault}.`);
  }
  let passesLeft = Number(pass);
  return {
    at(point) {
      if (point !== target) return;
      passesLeft -= 1;
      if (passesLeft === 0 && claim(marker)) process.kill(process.pid, 'SIGKILL');
    },
  };
}

function claim(marker: string | undefined): boolean {
  if (marker === undefined) return true;
  try {
    closeSync(openSync(marker, 'wx'));
    return true;
  } catch {
    return false;
  }
}
