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
    if (!worthTelling(condition) || (former?.reason === condition.reason && former.message === condition.message))
      continue;
    notices.push({ event: key, kind: 'Warning', reason: condition.reason, message: condition.message });
  }
  return notices;
}

function worthTelling({ type, status, reason }: Condition): boolean {
  if (type === 'Stalled' || type === 'Degraded') return status === 'True';
  if (type === 'StockAccurate') return status === 'False';
  return type === 'Armed' && reason === 'ChecksFailing';
}
