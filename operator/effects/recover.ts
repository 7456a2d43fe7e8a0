import assert from 'node:assert/strict';
import type { OrderRow } from '../../ledger/rows.ts';
import type { StockRef } from '../../lua/stock.ts';
import { TOTAL_UNITS_MAX } from '../../services/domain/limits.ts';
import { isLive } from '../../services/domain/order.ts';
import { isAttempt } from '../../services/domain/reservation.ts';
import type { SaleSight } from '../plan/observed.ts';
import { type EffectDeps, hindered, LOST, type Outcome } from './deps.ts';
import { type DrainMemory, drain } from './drain.ts';
import { DRAIN_LOOK_TIMEOUT_MS, DRAIN_TIMEOUT_MS, REBUILD_CHUNK_ROWS, REBUILD_PAGE_ROWS } from './limits.ts';
import { register } from './register.ts';

/** Why a row is void that the rebuilt stock has no place for. */
const OVER_LIMIT = 'over-limit-after-rebuild';

/** A recovery of ours whose drain has not ended. Lost with its process: then another one is begun. */
interface Draining {
  ref: StockRef;
  untilMs: number;
  memory: DrainMemory;
}

export interface RecoverMemory {
  draining: Map<string, Draining>;
}

/**
 * Rebuilds the live stock from the ledger after Redis forgot (DESIGN.md, "Redis may forget"). A recovery that died
 * half-way is never resumed: the next one takes a fresh generation, which fences off everything that the dead one
 * might still do. Of two leaders, one gets the generation. The drain of one that lives is looked at again and again, so
 * that other events are not waited with.
 */
export async function recover(
  deps: EffectDeps,
  memory: RecoverMemory,
  sale: SaleSight,
  signal: AbortSignal,
): Promise<Outcome> {
  const { eventId, generation } = sale;
  const former = memory.draining.get(eventId);
  memory.draining.delete(eventId);
  const mine = former?.ref.generation === generation && performance.now() < former.untilMs ? former : undefined;
  const begun = mine ?? (await begin(deps, sale));
  if ('status' in begun) return begun;
  const { ref } = begun;
  const still = () => isMine(deps, ref);
  const look = { eventId, timeoutMs: DRAIN_LOOK_TIMEOUT_MS, memory: begun.memory, signal, still };
  const drained = await drain(deps, look);
  if (drained.status === 'interrupted') return LOST;
  if (drained.status === 'waiting') {
    memory.draining.set(eventId, begun);
    return hindered('Rebuilding', drained.message);
  }
  deps.faults.at('operator.recover.after-drain');
  return rebuild(deps, ref, sale, signal);
}

/** Steps 1 and 2, up to the drain: a fresh generation in the ledger, then in Redis, then in the registry. */
async function begin(deps: EffectDeps, sale: SaleSight): Promise<Draining | Outcome> {
  const { ledger, link, stock, faults, log } = deps;
  const { eventId } = sale;
  const connection = link.current();
  if (connection === undefined) return hindered('RedisUnreachable', 'Redis does not answer');
  faults.at('operator.recover.before-begin');
  const generation = await ledger.events.beginRecovery(eventId, sale.generation);
  if (generation === undefined) return LOST;
  log.warn({ event: eventId, generation }, 'recovery begins');
  faults.at('operator.recover.after-ledger-begin');
  const ref: StockRef = { eventId, bucket: 0, generation, run: connection.run };
  const begun = await stock.rebuildBegin(ref);
  if (begun.status === 'not-ready') return hindered('Rebuilding', `Redis did not begin the rebuild (${begun.reason})`);
  if (begun.status === 'refused') {
    return hindered('Rebuilding', `Redis holds stock of generation ${generation} or later; a later one is taken next`);
  }
  faults.at('operator.recover.after-redis-begin');
  // The relay goes by the registry: it empties a journal only in the run that the registry names.
  const told = await register(deps, { ...sale, generation, runs: [connection.run] });
  if (told.status !== 'done') return told;
  faults.at('operator.recover.after-register');
  return { ref, untilMs: performance.now() + DRAIN_TIMEOUT_MS, memory: {} };
}

/** Steps 3 and 4: the rows, then, under the event row's lock, those that came meanwhile and the return to service. */
async function rebuild(deps: EffectDeps, ref: StockRef, sale: SaleSight, signal: AbortSignal): Promise<Outcome> {
  const { ledger, stock, faults, log } = deps;
  const { eventId, generation } = ref;
  const load = createLoad(deps, ref, sale.unitsPerBuyer);
  for (;;) {
    if (signal.aborted) return LOST;
    const page = await ledger.orders.page(eventId, load.lastSeq(), REBUILD_PAGE_ROWS);
    if (!(await load.add(page))) return LOST;
    if (page.length < REBUILD_PAGE_ROWS) break;
  }
  faults.at('operator.recover.after-load');

  let why = 'the stock is not ours any more';
  const finished = await ledger.events.finishRecovery(eventId, generation, async ({ event, rowsAfter, voidRows }) => {
    for await (const rows of rowsAfter(load.lastSeq())) if (!(await load.add(rows))) return undefined;
    const over = load.overLimit();
    const paid = over.length === 0 ? [] : await voidRows(over, OVER_LIMIT);
    // What was paid for is kept, whatever the limit: the audit names its buyer.
    if (!(await load.addPaid(paid))) return undefined;
    faults.at('operator.recover.before-redis-finish');
    const { totalUnits, targetUnits, startMs, endMs, unitsPerBuyer, armed, paused, closed } = event;
    // A shrink that was not finished is asked for again, and a repeat of the same revision would change nothing.
    const revision = targetUnits < totalUnits ? event.revision - 1 : event.revision;
    const settings = { revision, totalUnits, startMs, endMs, unitsPerBuyer, armed, paused, closed };
    const done = await stock.rebuildFinish(ref, settings);
    faults.at('operator.recover.after-redis-finish');
    if (done.status === 'finished') return { runs: [ref.run] };
    why = done.status === 'not-ready' ? `Redis was not ready (${done.reason})` : 'more is sold than the total';
    return undefined;
  });
  if (!finished) return hindered('Rebuilding', `the rebuild did not come to its end: ${why}`);
  faults.at('operator.recover.after-ledger-finish');
  const event = await ledger.events.get(eventId);
  log.warn({ event: eventId, generation, rows: load.count() }, 'recovery finished');
  return event?.generation === generation ? register(deps, event) : LOST;
}

interface Load {
  /** False: Redis has another run or generation, and this recovery is over. */
  add(rows: readonly OrderRow[]): Promise<boolean>;
  /** Loads rows that went over their buyer's limit once more, as they are: they cannot be voided. */
  addPaid(ids: readonly string[]): Promise<boolean>;
  lastSeq(): number;
  /** Rows that went over their buyer's limit; Redis holds them as released, the ledger voids them. */
  overLimit(): string[];
  count(): number;
}

function createLoad({ stock, log }: EffectDeps, ref: StockRef, unitsPerBuyer: number): Load {
  let lastSeq = 0;
  let count = 0;
  let first = true;
  const over = new Map<string, OrderRow>();

  async function load(rows: readonly OrderRow[], limit: number): Promise<string[] | undefined> {
    const loaded = await stock.rebuildLoad(ref, {
      first,
      unitsPerBuyer: limit,
      rows: rows.map(({ id, buyer, units, state, journalId }) => {
        return { reservationId: id, buyer, units, live: isLive(state), journalId };
      }),
    });
    if (loaded.status === 'not-ready') return undefined;
    first = false;
    return loaded.overLimit;
  }

  return {
    lastSeq: () => lastSeq,
    overLimit: () => [...over.keys()],
    count: () => count,
    async add(rows) {
      // The first chunk forgets what Redis still had, so there is one even without rows.
      for (let at = 0; at < rows.length || first; at += REBUILD_CHUNK_ROWS) {
        const chunk = rows.slice(at, at + REBUILD_CHUNK_ROWS);
        // Somebody changed the others by hand: Redis could not hold them, and the audit says what is wrong with them.
        const fit = chunk.filter(({ id, buyer, units }) => isAttempt({ reservationId: id, buyer, units }));
        if (fit.length < chunk.length) {
          log.error(
            { event: ref.eventId, rows: chunk.length - fit.length },
            'orders are nothing that Redis could hold',
          );
        }
        const overLimit = await load(fit, unitsPerBuyer);
        if (overLimit === undefined) return false;
        for (const row of fit) if (overLimit.includes(row.id)) over.set(row.id, row);
        count += fit.length;
        lastSeq = chunk.at(-1)?.seq ?? lastSeq;
      }
      return true;
    },
    async addPaid(ids) {
      const rows = ids.flatMap((id) => over.get(id) ?? []);
      for (let at = 0; at < rows.length; at += REBUILD_CHUNK_ROWS) {
        const refused = await load(rows.slice(at, at + REBUILD_CHUNK_ROWS), TOTAL_UNITS_MAX);
        if (refused === undefined) return false;
        assert(refused.length === 0, 'nobody has more units than a sale may have');
      }
      return true;
    },
  };
}

/** Whether the run, the stock and the ledger still have the generation of this recovery. */
async function isMine({ link, ledger, stock }: EffectDeps, ref: StockRef): Promise<boolean> {
  if (link.current()?.run !== ref.run) return false;
  const [snapshot, event] = await Promise.all([stock.snapshot(ref), ledger.events.get(ref.eventId)]);
  if (event?.generation !== ref.generation || event.state !== 'recovering') return false;
  return snapshot.status === 'ok' ? snapshot.generation === ref.generation : true;
}
