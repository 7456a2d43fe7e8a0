import { checkManifest } from '../../operator/api/check-manifest.ts';
import type { SeckillEvent } from '../../operator/api/seckill-event.ts';
import type { Facts, Observed, SaleSight, StockSight, WorkloadSight } from '../../operator/plan/observed.ts';
import { plainManifest, withField } from './manifests.ts';

/** An event and a sale that fit together, an hour from 12:00 to 13:00; tests change what they are about. */
export const START_MS = Date.parse('2026-12-12T12:00:00Z');
export const END_MS = Date.parse('2026-12-12T13:00:00Z');
export const MINUTE_MS = 60_000;
const RUN = 'run-a.replid-a';

export function anEvent(
  fields: Record<string, unknown> = {},
  meta: Partial<SeckillEvent['metadata']> = {},
): SeckillEvent {
  const changes = Object.entries({ 'spec.schedule.endTime': '2026-12-12T13:00:00Z', ...fields });
  const manifest = changes.reduce((at, [path, value]) => withField(at, path, value), plainManifest());
  const checked = checkManifest(manifest);
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join('\n'));
  return {
    metadata: {
      ...{ name: 'phone-x', namespace: 'shop', uid: 'uid-1', generation: 1, createdMs: START_MS - 86_400_000 },
      ...{ labels: {}, annotations: {}, finalizers: ['seckill.io/settle'] },
      ...meta,
    },
    spec: checked.event.spec,
  };
}

export function aSale(changes: Partial<SaleSight> = {}): SaleSight {
  return {
    ...{ eventId: 'shop.phone-x.1', namespace: 'shop', name: 'phone-x', edition: 1, uid: 'uid-1', state: 'warmed' },
    ...{ generation: 1, revision: 1, runs: [RUN], armed: true, buckets: 1, unitsPerBuyer: 1 },
    product: { sku: 'PHONE-X-256', title: 'Phone X 256 GB', priceMinor: 399_900, currency: 'CNY' },
    ...{ startMs: START_MS, endMs: END_MS, paused: false, closed: false },
    ...{ totalUnits: 1_000, targetUnits: 1_000, soldUnits: 0 },
    ...changes,
  };
}

export function aStock(changes: Partial<StockSight> = {}): StockSight {
  return {
    ...{ generation: 1, revision: 1, mode: 'selling', closed: false, endMs: END_MS, lawHolds: true },
    ...{ totalUnits: 1_000, availableUnits: 1_000, heldUnits: 0, committedUnits: 0 },
    ...changes,
  };
}

export function aWorkload(changes: Partial<WorkloadSight> = {}): WorkloadSight {
  return { pods: 2, ready: 2, wanted: 2, problems: [], updatePending: false, atCeiling: false, ...changes };
}

export const GOOD_FACTS: Facts = {
  redis: {
    ...{ version: '7.0.15', role: 'master', maxmemoryPolicy: 'noeviction', aofEnabled: true },
    ...{ usedMemoryBytes: 1_000_000, maxmemoryBytes: 0, connectedReplicas: 0, minReplicasToWrite: 0 },
  },
  topic: { exists: true, partitions: 12, replicas: 1, inSyncReplicas: 1, minInsyncReplicas: 1 },
  ledger: { version: '10.11', strict: true, pendingMigrations: [] },
  clockOffsetMs: 3,
};

export interface Seen {
  nowMs?: number;
  event?: SeckillEvent;
  /** `undefined`: the ledger has no edition; `'away'`: it does not answer. */
  sale?: SaleSight | 'away' | undefined;
  stock?: StockSight | 'missing' | 'unread' | 'away';
  run?: string;
  workload?: Observed['workload'];
  facts?: Facts | undefined;
  hindrance?: Observed['hindrance'];
  /** By default a sale that the ledger knows is. */
  registered?: boolean;
}

/** In the middle of an open sale where everything is well, unless said otherwise. */
export function observed(seen: Seen = {}): Observed {
  const sale = 'sale' in seen ? seen.sale : aSale();
  const stock = seen.stock ?? aStock();
  const known = sale === 'away' && seen.registered === true ? aSale() : sale;
  const entry =
    typeof known === 'object' && (seen.registered ?? true) ? { ...known, runs: [...known.runs] } : undefined;
  return {
    event: seen.event ?? anEvent(),
    nowMs: seen.nowMs ?? START_MS + MINUTE_MS,
    ledger: sale === 'away' ? { reachable: false, why: 'it is away' } : { reachable: true, sale },
    redis:
      stock === 'away'
        ? { reachable: false, why: 'it is away' }
        : { reachable: true, run: seen.run ?? RUN, stock, entry },
    workload: 'workload' in seen ? seen.workload : aWorkload(),
    facts: 'facts' in seen ? seen.facts : GOOD_FACTS,
    accuracy: undefined,
    hindrance: seen.hindrance,
  };
}
