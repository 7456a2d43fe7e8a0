import type { Product } from '../services/domain/event.ts';
import type { OrderState } from '../services/domain/order.ts';
import type { SqlRow } from './database.ts';

/** The ledger's word on an event: `warming → warmed ⇄ recovering`, and `settled` for good. */
export const LEDGER_STATES = ['warming', 'warmed', 'recovering', 'settled'] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];

/** One edition of an event. Times are milliseconds since 1970. */
export interface LedgerEvent {
  eventId: string;
  namespace: string;
  name: string;
  edition: number;
  /** The object that this edition belongs to at present. */
  uid: string;
  state: LedgerState;
  /** 0 until the first preheat begins; every preheat and every rebuild takes the next one. */
  generation: number;
  /** Counts the accepted changes of total, end, paused and closed, from 1. */
  revision: number;
  /** Identity of the Redis run that holds each bucket; empty before the first preheat is done. */
  runs: string[];
  armed: boolean;
  product: Product;
  buckets: number;
  unitsPerBuyer: number;
  startMs: number;
  endMs: number;
  paused: boolean;
  closed: boolean;
  initialUnits: number;
  /** The barrier: live units never go above it. */
  totalUnits: number;
  /** The total that was last wished for. */
  targetUnits: number;
  /** Units of live orders. */
  soldUnits: number;
  /** Recoveries that were finished. */
  rebuilds: number;
}

/** One order. Its id is its reservation's id. */
export interface OrderRow {
  /** Within one event in the order in which the transactions committed. */
  seq: number;
  id: string;
  eventId: string;
  bucket: number;
  generation: number;
  journalId: string;
  buyer: string;
  units: number;
  state: OrderState;
  priceMinor: number;
  currency: string;
  heldAtMs: number;
  createdMs: number;
  /** Why the order was voided, cancelled or expired. */
  reason?: string;
}

/** A unit that the ledger took back and that Redis does not know of yet, with the event's present place in Redis. */
export interface DueReturn {
  seq: number;
  id: string;
  eventId: string;
  bucket: number;
  buyer: string;
  units: number;
  generation: number;
  runs: string[];
}

export const EVENT_COLUMNS = `event_id, namespace, name, edition, uid, state, generation, revision, runs, armed, product,
  buckets, units_per_buyer, start_ms, end_ms, paused, closed, initial_units, total_units, target_units, sold_units, rebuilds`;

export const ORDER_COLUMNS = `seq, id, event_id, bucket, generation, journal_id, buyer, units, state, price_minor, currency,
  held_at_ms, CAST(UNIX_TIMESTAMP(created_at) * 1000 AS UNSIGNED) AS created_ms, reason`;

/** Reads a row of `events`. Our own database is trusted: the casts say what the migrations declare. */
export function eventOf(row: SqlRow): LedgerEvent {
  return {
    eventId: row['event_id'] as string,
    namespace: row['namespace'] as string,
    name: row['name'] as string,
    edition: row['edition'] as number,
    uid: row['uid'] as string,
    state: row['state'] as LedgerState,
    generation: row['generation'] as number,
    revision: row['revision'] as number,
    runs: JSON.parse(row['runs'] as string) as string[],
    armed: Boolean(row['armed']),
    product: JSON.parse(row['product'] as string) as Product,
    buckets: row['buckets'] as number,
    unitsPerBuyer: row['units_per_buyer'] as number,
    startMs: row['start_ms'] as number,
    endMs: row['end_ms'] as number,
    paused: Boolean(row['paused']),
    closed: Boolean(row['closed']),
    initialUnits: row['initial_units'] as number,
    totalUnits: row['total_units'] as number,
    targetUnits: row['target_units'] as number,
    soldUnits: row['sold_units'] as number,
    rebuilds: row['rebuilds'] as number,
  };
}

export function orderOf(row: SqlRow): OrderRow {
  const reason = row['reason'] as string | null;
  return {
    seq: row['seq'] as number,
    id: row['id'] as string,
    eventId: row['event_id'] as string,
    bucket: row['bucket'] as number,
    generation: row['generation'] as number,
    journalId: row['journal_id'] as string,
    buyer: row['buyer'] as string,
    units: row['units'] as number,
    state: row['state'] as OrderState,
    priceMinor: row['price_minor'] as number,
    currency: row['currency'] as string,
    heldAtMs: row['held_at_ms'] as number,
    createdMs: row['created_ms'] as number,
    ...(reason === null ? {} : { reason }),
  };
}

export function dueReturnOf(row: SqlRow): DueReturn {
  return {
    seq: row['seq'] as number,
    id: row['order_id'] as string,
    eventId: row['event_id'] as string,
    bucket: row['bucket'] as number,
    buyer: row['buyer'] as string,
    units: row['units'] as number,
    generation: row['generation'] as number,
    runs: JSON.parse(row['runs'] as string) as string[],
  };
}

/** A product as text that is equal when the product is: members sorted by name, missing ones left out. */
export function canonicalProduct(product: Product): string {
  const members = Object.entries(product).filter(([, value]) => value !== undefined);
  return JSON.stringify(Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1))));
}
