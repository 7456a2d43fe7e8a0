import { isAccurate } from '../../services/domain/accounting.ts';
import type { SaleSight } from '../plan/observed.ts';
import { auditEvent } from './audit.ts';
import { DONE, type EffectDeps, hindered, LOST, type Outcome } from './deps.ts';
import { drain } from './drain.ts';
import { SETTLE_HELD_WAIT_MS, SETTLE_LOOK_TIMEOUT_MS, SETTLE_RECHECK_MS } from './limits.ts';

/**
 * Since when the pipeline of a sale has been empty in this generation, by the monotonic clock. Lost with its process: then
 * it waits anew.
 */
export interface SettleMemory {
  drained: Map<string, { generation: number; atMs: number }>;
}

/**
 * Ends a sale that is over: all holds are in the ledger and committed, the audit is written down, the row is settled.
 * What is still under way is not waited for here: the next look comes soon.
 */
export async function settle(
  deps: EffectDeps,
  memory: SettleMemory,
  sale: SaleSight,
  signal: AbortSignal,
): Promise<Outcome> {
  const { ledger, stock, journal, admin, faults, log } = deps;
  const { eventId, generation } = sale;
  const [run] = sale.runs;
  if (run === undefined) return LOST;
  const ref = { eventId, bucket: 0, generation, run };
  const snapshot = await stock.snapshot(ref);
  if (snapshot.status !== 'ok' || snapshot.generation !== generation) return LOST;
  // Only Redis judges the window: before its clock says so, an attempt may still be held.
  if (!snapshot.closed && snapshot.nowMs < snapshot.endMs)
    return hindered('InProgress', 'by Redis time it is not over');

  const still = async () => !signal.aborted;
  const drained = await drain(deps, { eventId, timeoutMs: SETTLE_LOOK_TIMEOUT_MS, signal, still });
  if (drained.status === 'interrupted') return LOST;
  if (drained.status === 'waiting') {
    memory.drained.delete(eventId);
    return hindered('PipelineNotDrained', drained.message);
  }
  faults.at('operator.settle.after-drain');
  const waitedMs = waitedSince(memory, eventId, generation);
  const now = await stock.snapshot(ref);
  if (now.status !== 'ok') return LOST;
  if (now.heldUnits > 0 && waitedMs < SETTLE_HELD_WAIT_MS) {
    return hindered('PipelineNotDrained', `${now.heldUnits} units are held and not committed yet`);
  }

  const event = await ledger.events.get(eventId);
  if (event === undefined || event.generation !== generation || event.state !== 'warmed') return LOST;
  const { lastSeq, ...report } = await auditEvent({ stock, journal, ledger, kafka: admin, event }, { settled: true });
  if (!isAccurate(report.accuracy) && waitedMs < SETTLE_RECHECK_MS)
    return hindered('PipelineNotDrained', 'the audit is made a second time');
  faults.at('operator.settle.after-audit');
  // A recovery that began meanwhile, or an order that came, is looked at first.
  const seen = { state: 'warmed', generation, lastSeq } as const;
  const settled = await ledger.events.settle(eventId, seen, { ...report, settledMs: now.nowMs });
  if (!settled) return LOST;
  faults.at('operator.settle.after-ledger');
  memory.drained.delete(eventId);
  log.info({ event: eventId, accuracy: report.accuracy, counts: report.counts }, 'settled');
  return DONE;
}

function waitedSince({ drained }: SettleMemory, eventId: string, generation: number): number {
  const nowMs = performance.now();
  const known = drained.get(eventId);
  if (known?.generation === generation) return nowMs - known.atMs;
  drained.set(eventId, { generation, atMs: nowMs });
  return 0;
}

/** Nothing was ever sold from it: the row is ended, so that another edition of the name can begin. */
export async function settleUnsold({ ledger }: EffectDeps, sale: SaleSight, reason: string): Promise<Outcome> {
  const { eventId, generation } = sale;
  const seen = { state: 'warming', generation, lastSeq: 0 } as const;
  return (await ledger.events.settle(eventId, seen, { unsold: true, reason })) ? DONE : LOST;
}
