import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeckillEventStatus } from '../../operator/api/status.ts';
import type { FaultId, Seen } from './faults.ts';

/** Names a folder into which the tests write what they saw of the faults that they play. */
export const ROWS_VARIABLE = 'SECKILL_FAULT_ROWS';

/** Keeps what was seen for docs/faults.md when it is being written; nothing otherwise. */
export function recordFault(id: FaultId, seen: Seen): void {
  const folder = process.env[ROWS_VARIABLE];
  if (folder !== undefined) writeFileSync(join(folder, `${id}.json`), JSON.stringify(seen));
}

/** Seconds since it was made. */
export function stopwatch(): () => number {
  const sinceMs = performance.now();
  return () => (performance.now() - sinceMs) / 1_000;
}

/** What a person reads of one condition: the phase, and the condition with its reason and message. */
export function saidOf(status: SeckillEventStatus | undefined, type: string): string {
  const condition = status?.conditions.find((one) => one.type === type);
  if (status === undefined || condition === undefined) throw new Error(`the status has no condition ${type}`);
  const { status: value, reason, message } = condition;
  return `${status.phase}, ${type}=${value} (${reason}): ${message}`;
}
