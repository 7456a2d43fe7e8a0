import type { LedgerEvent } from '../../ledger/rows.ts';
import { readRegistry } from '../../lua/registry.ts';
import type { Accuracy } from '../../services/domain/accounting.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';
import type { Facts, LedgerSight, Observed, RedisSight } from '../plan/observed.ts';
import type { AuditBoard } from './audit-board.ts';
import type { EffectDeps } from './deps.ts';
import { readFacts } from './facts.ts';
import { FACTS_MAX_AGE_ARMED_MS, FACTS_MAX_AGE_UNARMED_MS, SETTLEMENTS_REMEMBERED_MAX } from './limits.ts';
import { messageOf } from './message.ts';
import { within } from './within.ts';

/** All of `Observed` but what the platform and the reconciler know. */
export type Sight = Pick<Observed, 'nowMs' | 'ledger' | 'redis' | 'facts' | 'accuracy'>;

export type Observe = (event: Pick<SeckillEvent, 'metadata'>) => Promise<Sight>;

/** Looks at ledger and Redis. A server that is away is a part of what is seen, never an exception. */
export function createObserve(deps: EffectDeps, board: AuditBoard): Observe {
  const { ledger, link, stock, clock } = deps;
  const settlements = new Map<string, Accuracy>();
  const facts = new Map<string, { facts: Facts; readAtMs: number }>();
  let offsetMs: number | undefined;

  async function seeLedger({ metadata }: Pick<SeckillEvent, 'metadata'>): Promise<LedgerSight> {
    // A database that hangs is waited for by itself much longer; people are told before that.
    const answer = await within(ledger.events.latest(metadata.namespace, metadata.name).then((sale) => ({ sale })));
    return 'why' in answer ? { reachable: false, why: answer.why } : { reachable: true, sale: answer.value.sale };
  }

  async function seeRedis(key: string, sale: LedgerEvent | undefined): Promise<RedisSight> {
    try {
      const { entries, run, offsetMs: offset } = await readRegistry(link);
      offsetMs = offset;
      const entry = entries.get(key);
      const eventId = sale?.eventId ?? entry?.eventId;
      if (eventId === undefined) return { reachable: true, run, stock: 'unread', entry };
      // Under the identity of now, whatever the ledger calls it: that the two differ is for the plan to see.
      const seen = await stock.snapshot({ eventId, bucket: 0, generation: sale?.generation ?? 0, run });
      if (seen.status === 'not-ready') return { reachable: false, why: `the stock cannot be read (${seen.reason})` };
      return { reachable: true, run, stock: seen.status === 'missing' ? 'missing' : seen, entry };
    } catch (error) {
      return { reachable: false, why: messageOf(error) };
    }
  }

  async function factsFor(sale: LedgerEvent | undefined): Promise<Facts | undefined> {
    if (sale === undefined || sale.state !== 'warmed') return undefined;
    const known = facts.get(sale.eventId);
    const maxAgeMs = sale.armed ? FACTS_MAX_AGE_ARMED_MS : FACTS_MAX_AGE_UNARMED_MS;
    if (known !== undefined && performance.now() - known.readAtMs < maxAgeMs) return known.facts;
    const read = await readFacts(deps, offsetMs);
    facts.set(sale.eventId, { facts: read, readAtMs: performance.now() });
    return read;
  }

  async function accuracyOf(sale: LedgerEvent | undefined): Promise<Accuracy | undefined> {
    if (sale?.state === 'warmed') return board.accuracyOf(sale.eventId);
    if (sale?.state !== 'settled') return undefined;
    const settled = await settlementOf(sale);
    if (settled !== undefined) board.putSettled({ eventId: sale.eventId, key: eventKeyOf(sale) }, settled);
    return settled;
  }

  async function settlementOf(sale: LedgerEvent): Promise<Accuracy | undefined> {
    facts.delete(sale.eventId);
    const known = settlements.get(sale.eventId);
    if (known !== undefined) return known;
    const report = (await ledger.events.settlement(sale.eventId)) as { accuracy?: Accuracy } | undefined;
    if (report?.accuracy === undefined) return undefined;
    if (settlements.size >= SETTLEMENTS_REMEMBERED_MAX) settlements.clear();
    settlements.set(sale.eventId, report.accuracy);
    return report.accuracy;
  }

  /** A recovery follows at once, so that the audit itself might come too late to see it. */
  function noteGap(sale: LedgerEvent | undefined, redis: RedisSight): void {
    if (sale?.state !== 'warmed' || !redis.reachable || typeof redis.stock === 'string') return;
    const { generation, totalUnits, availableUnits, heldUnits, committedUnits } = redis.stock;
    const gap = Math.abs(totalUnits - availableUnits - heldUnits - committedUnits);
    if (gap === 0 || generation !== sale.generation) return;
    board.noteGap({ eventId: sale.eventId, key: eventKeyOf(sale) }, gap);
  }

  return async (event) => {
    const seen = await seeLedger(event);
    const sale = seen.reachable ? (seen.sale as LedgerEvent | undefined) : undefined;
    const redis = await seeRedis(eventKeyOf(event.metadata), sale);
    noteGap(sale, redis);
    const mine = sale?.uid === event.metadata.uid ? sale : undefined;
    const [known, accuracy] = await Promise.all([factsFor(sale), accuracyOf(mine).catch(() => undefined)]);
    return { nowMs: clock.nowMs() + (offsetMs ?? 0), ledger: seen, redis, facts: known, accuracy };
  };
}
