import { AssertionError } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerEvent } from '../../ledger/rows.ts';
import { isSeckillError } from '../../services/domain/errors.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import type { EventKey } from '../api/seckill-event.ts';
import type { AuditBoard } from './audit-board.ts';
import { AUDIT_EVENTS_AT_ONCE, AUDIT_INTERVAL_MS } from './audit-limits.ts';
import type { EffectDeps } from './deps.ts';
import { type AuditFollower, createAuditFollower } from './follow-audit.ts';

/** Audits every sale that runs, again and again, as long as this process leads. */
export type RunAudit = (o: {
  signal: AbortSignal;
  /** Told when the numbers of a sale are others than before. */
  onChange(key: EventKey): void;
}) => Promise<void>;

export function createAuditLoop(deps: EffectDeps, board: AuditBoard): RunAudit {
  const { stock, journal, ledger, admin, log } = deps;
  const followers = new Map<string, AuditFollower>();
  /** Sales that could not be audited when they were last looked at: said once. */
  const failing = new Set<string>();

  async function step(event: LedgerEvent, onChange: (key: EventKey) => void): Promise<void> {
    const { eventId } = event;
    const follower = followers.get(eventId) ?? createAuditFollower({ stock, journal, ledger, kafka: admin, log });
    followers.set(eventId, follower);
    const sale = { eventId, key: eventKeyOf(event) };
    try {
      const seen = await follower.step(event);
      failing.delete(eventId);
      if (seen === undefined) return;
      const before = board.accuracyOf(eventId);
      board.put(sale, seen.accuracy, seen.complete);
      if (JSON.stringify(before) !== JSON.stringify(seen.accuracy)) onChange(sale.key);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      // While it recovers there is nothing to compare; what is away comes back. The age of the last audit tells.
      const level = isSeckillError(error, 'SECKILL_ERR_NOT_READY') || failing.has(eventId) ? 'debug' : 'warn';
      failing.add(eventId);
      log[level]({ err: error, event: eventId }, 'a sale could not be audited now');
    }
  }

  /** The sale is over: what was last said of it stands, until the settlement's own numbers are seen. */
  function leave(eventId: string): void {
    followers.delete(eventId);
    failing.delete(eventId);
    board.end(eventId);
  }

  return async ({ signal, onChange }) => {
    while (!signal.aborted) {
      const beganMs = performance.now();
      const events = await ledger.events.unsettled().catch(() => undefined);
      if (events !== undefined) {
        const running = events.filter(({ state }) => state === 'warmed');
        const unsettled = new Set(events.map(({ eventId }) => eventId));
        for (const eventId of followers.keys()) if (!unsettled.has(eventId)) leave(eventId);
        for (let at = 0; at < running.length && !signal.aborted; at += AUDIT_EVENTS_AT_ONCE) {
          await Promise.all(running.slice(at, at + AUDIT_EVENTS_AT_ONCE).map((event) => step(event, onChange)));
        }
      }
      const restMs = Math.max(0, beganMs + AUDIT_INTERVAL_MS - performance.now());
      await delay(restMs, undefined, { signal }).catch(() => {});
    }
    // Another one leads now, and says what is so.
    board.clear();
    followers.clear();
  };
}
