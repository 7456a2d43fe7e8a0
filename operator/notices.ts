import type { EventKey } from './api/seckill-event.ts';
import type { Condition, SeckillEventStatus } from './api/status.ts';
import type { Notice } from './platform/platform.ts';

const WARNING_PHASES: readonly string[] = ['Recovering', 'Failed'];

/** What people are told when the status changed: a new phase, and conditions that turned for the worse. */
export function phaseNotices(key: EventKey, before: SeckillEventStatus | undefined, now: SeckillEventStatus): Notice[] {
  const notices: Notice[] = [];
  if (before?.phase !== now.phase) {
    const kind = WARNING_PHASES.includes(now.phase) ? 'Warning' : 'Normal';
    notices.push({ event: key, kind, reason: now.phase, message: now.message });
  }
  for (const condition of now.conditions) {
    const former = before?.conditions.find(({ type }) => type === condition.type);
    if (!worthTelling(condition) || (former !== undefined && gistOf(former) === gistOf(condition))) continue;
    notices.push({ event: key, kind: 'Warning', reason: condition.reason, message: condition.message });
  }
  return notices;
}

/** What is said but for its numbers: a clock that is 1,502 ms ahead instead of 1,498 says nothing new. */
export function gistOf({ reason, message }: { reason: string; message: string }): string {
  return `${reason}: ${message.replaceAll(/\d+/g, '#')}`;
}

function worthTelling({ type, status, reason }: Condition): boolean {
  if (type === 'Stalled' || type === 'Degraded') return status === 'True';
  if (type === 'StockAccurate') return status === 'False';
  return type === 'Armed' && reason === 'ChecksFailing';
}
