import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { StoredNotice } from '../../operator/platform/host/notices.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import { NOTICES_SHOWN_MAX } from './limits.ts';

/** Columns as wide as their longest cell, two spaces apart, as people know them from kubectl. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}

export function statusTable(events: readonly SeckillEvent[], nowMs: number): string {
  if (events.length === 0) return 'There are no events.\n';
  const header = ['EVENT', 'PHASE', 'OPENS', 'STOCK', 'SOLD', 'HELD', 'DRIFT', 'PODS', 'AGE'];
  return columns([header, ...events.map((event) => rowOf(event, nowMs))]);
}

function rowOf({ metadata, spec, status }: SeckillEvent, nowMs: number): string[] {
  const { stock, accuracy } = status ?? {};
  const deleting = metadata.deletionMs === undefined ? '' : ' (deleting)';
  return [
    eventKeyOf(metadata),
    `${status?.phase ?? 'Unknown'}${deleting}`,
    status?.startTime ?? spec.schedule.startTime,
    String(stock?.total ?? spec.stock.totalUnits),
    stock === undefined ? '-' : String(stock.sold),
    stock === undefined ? '-' : String(stock.held),
    accuracy === undefined ? (stock === undefined ? '-' : String(stock.drift)) : String(accuracy.drift),
    status === undefined ? '-' : `${status.pods.ready}/${status.pods.wanted}`,
    ageOf(nowMs - metadata.createdMs),
  ];
}

/** One event in full: its row, conditions, checks, the six numbers, the last notices. */
export function eventDetails(event: SeckillEvent, notices: readonly StoredNotice[], nowMs: number): string {
  const { status } = event;
  const parts = [statusTable([event], nowMs)];
  if (status === undefined) return `${parts.join('')}\nNo operator has looked at it yet.\n`;
  parts.push(
    `\n${status.phase} (${status.reason}): ${status.message}\nOpens ${status.startTime}, ends ${status.endTime}`,
  );
  parts.push(`${status.eventId === undefined ? '' : `, event id ${status.eventId}`}\n`);
  if (status.accuracy !== undefined) {
    const numbers = Object.entries(status.accuracy).map(([name, value]) => `${name} ${value}`);
    parts.push(`Audit: ${numbers.join(', ')}\n`);
  }
  const conditions = status.conditions.map(({ type, status: is, reason, message }) => [
    `  ${type}`,
    is,
    reason,
    message,
  ]);
  parts.push('\nConditions\n', columns(conditions));
  if (status.checks.length > 0) {
    const checks = status.checks.map(({ name, blocking, passed, message }) => {
      return [`  ${name}`, passed ? 'passed' : 'FAILED', blocking ? 'blocking' : 'advisory', message];
    });
    parts.push('\nChecks\n', columns(checks));
  }
  if (notices.length > 0) {
    const last = notices.slice(-NOTICES_SHOWN_MAX).map(({ atMs, kind, reason, message }) => {
      return [`  ${new Date(atMs).toISOString()}`, kind, reason, message];
    });
    parts.push('\nNotices\n', columns(last));
  }
  return parts.join('');
}

function ageOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
