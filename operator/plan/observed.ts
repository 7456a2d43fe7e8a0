import type { Accuracy } from '../../services/domain/accounting.ts';
import type { Product } from '../../services/domain/event.ts';
import type { SeckillEvent } from '../api/seckill-event.ts';

/**
 * What is known of an event at one moment, as far as decisions need it. The shapes are those of ledger and lua, so
 * that their values fit as they are; plan itself knows neither of the two.
 */
export interface SaleSight {
  eventId: string;
  namespace: string;
  name: string;
  edition: number;
  uid: string;
  state: 'warming' | 'warmed' | 'recovering' | 'settled';
  generation: number;
  revision: number;
  runs: readonly string[];
  armed: boolean;
  product: Product;
  buckets: number;
  unitsPerBuyer: number;
  startMs: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
  totalUnits: number;
  targetUnits: number;
  soldUnits: number;
  /** Rebuilds of the live stock. */
  rebuilds?: number;
}

export interface StockSight {
  generation: number;
  revision: number;
  mode: 'unarmed' | 'selling' | 'paused' | 'recovering';
  closed: boolean;
  endMs: number;
  totalUnits: number;
  availableUnits: number;
  heldUnits: number;
  committedUnits: number;
  lawHolds: boolean;
}

/** What pods and relays are told of the event. */
export interface EntrySight {
  eventId: string;
  edition: number;
  generation: number;
  revision: number;
  runs: readonly string[];
  startMs: number;
  endMs: number;
}

export type LedgerSight =
  | { reachable: false; why: string }
  /** The latest edition of this name; its owner may be an object that went before. */
  | { reachable: true; sale: SaleSight | undefined };

export type RedisSight =
  | { reachable: false; why: string }
  | { reachable: true; run: string; stock: StockSight | 'missing' | 'unread'; entry: EntrySight | undefined };

export interface WorkloadSight {
  pods: number;
  ready: number;
  wanted: number;
  problems: readonly string[];
  /** The release has another template than the pods were made of. */
  updatePending: boolean;
  /** The autoscaler wants more pods than it may start. */
  atCeiling: boolean;
  autoscalerProblem?: string;
}

/** What the arming checks judge by; a part is `undefined` when it could not be asked. */
export interface Facts {
  redis:
    | {
        version: string;
        role: string;
        maxmemoryPolicy: string;
        aofEnabled: boolean;
        usedMemoryBytes: number;
        maxmemoryBytes: number;
        connectedReplicas: number;
        minReplicasToWrite: number;
      }
    | undefined;
  topic:
    | { exists: false }
    | { exists: true; partitions: number; replicas: number; inSyncReplicas: number; minInsyncReplicas: number }
    | undefined;
  ledger: { version: string; strict: boolean; pendingMigrations: readonly string[] } | undefined;
  /** Why a part could not be asked, in words. */
  unanswered?: { redis?: string; topic?: string; ledger?: string };
  /** Redis time minus ours. */
  clockOffsetMs: number | undefined;
}

export interface Observed {
  event: SeckillEvent;
  /** By Redis when it answers, since it opens and closes the sale; by our own clock otherwise. */
  nowMs: number;
  ledger: LedgerSight;
  redis: RedisSight;
  workload: WorkloadSight | undefined;
  facts: Facts | undefined;
  /** As it was settled, or what the audit of a running sale last said. */
  accuracy: Accuracy | undefined;
  /** Why the last attempt to settle, recover or preheat did not come to its end. */
  hindrance: { reason: string; message: string } | undefined;
}

/** The same of any event, whether this release accepts its spec or not. */
export type ObservedObject = Omit<Observed, 'event'> & { event: Pick<SeckillEvent, 'metadata'> };
