import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import type { OpenEdition } from '../../ledger/events.ts';
import { createLedger, type Ledger } from '../../ledger/ledger.ts';
import { migrate } from '../../ledger/migrate.ts';
import type { LedgerEvent } from '../../ledger/rows.ts';
import type { HoldMessage } from '../../services/domain/hold-message.ts';
import { ownDatabase } from '../support/mysql.ts';
import { randomEventName } from '../support/names.ts';

export const log = pino({ level: process.env['SECKILL_TEST_LOG'] ?? 'silent' });

export interface LedgerBed {
  readonly url: string;
  readonly ledger: Ledger;
  /** Runs a statement as somebody else, behind the ledger's back. */
  sql(statement: string, values?: unknown[]): Promise<RowDataPacket[]>;
}

/** A migrated database of this file with a ledger on it. Call it at the top level. */
export function ledgerBed(): LedgerBed {
  const database = ownDatabase();
  let ledger: Ledger | undefined;
  beforeAll(async () => {
    await migrate({ url: database.url, log });
    ledger = createLedger({ url: database.url, log });
  });
  afterAll(async () => {
    await ledger?.close();
  });
  return {
    get url() {
      return database.url;
    },
    get ledger() {
      if (ledger === undefined) throw new Error('ledgerBed() is ready in hooks and tests, not before');
      return ledger;
    },
    sql: (statement, values) => statementOn(database.url, statement, values),
  };
}

export async function statementOn(url: string, statement: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(statement, values);
    return rows;
  } finally {
    await connection.end();
  }
}

export const PRODUCT = { sku: 'PHONE', title: '手机 X', priceMinor: 399_900, currency: 'CNY' };

/** What an object asks for, of a name that nobody else has. */
export function wish(changes: Partial<OpenEdition> = {}): OpenEdition {
  return {
    namespace: 'shop',
    name: randomEventName(),
    uid: randomUUID(),
    frozen: { product: PRODUCT, buckets: 1, unitsPerBuyer: 1, startMs: 1_764_000_000_000 },
    totalUnits: 10,
    endMs: 1_764_000_600_000,
    paused: false,
    closed: false,
    ...changes,
  };
}

/** A warmed event at generation 1. */
export async function warmedEvent(
  ledger: Ledger,
  { runs = ['run.1'], ...changes }: Partial<OpenEdition> & { runs?: string[] } = {},
): Promise<LedgerEvent> {
  const { event } = await ledger.events.openEdition(wish(changes));
  const generation = await ledger.events.beginPreheat(event.eventId, event);
  await ledger.events.finishPreheat(event.eventId, generation ?? 0, runs);
  return present(ledger, event.eventId);
}

/** As the settlement of a sale does it that nobody bought from since. */
export async function settle(ledger: Ledger, eventId: string, report: object = {}): Promise<boolean> {
  const { generation } = await present(ledger, eventId);
  const { lastSeq } = await ledger.audit.now(eventId);
  return ledger.events.settle(eventId, { state: 'warmed', generation, lastSeq }, report);
}

export async function present(ledger: Ledger, eventId: string): Promise<LedgerEvent> {
  const event = await ledger.events.get(eventId);
  if (event === undefined) throw new Error(`the ledger has no event ${eventId}`);
  return event;
}

let lastSequence = 0;

/** A hold of a buyer whom nobody else is, later in the journal than all before it. */
export function hold(eventId: string, changes: Partial<HoldMessage> = {}): HoldMessage {
  lastSequence += 1;
  return {
    v: 1,
    eventId,
    bucket: 0,
    generation: 1,
    journalId: `1764000000000-${lastSequence}`,
    reservationId: randomUUID(),
    buyer: `buyer-${randomUUID()}`,
    units: 1,
    heldAtMs: 1_764_000_000_000,
    ...changes,
  };
}

export function holds(eventId: string, count: number): HoldMessage[] {
  return Array.from({ length: count }, () => hold(eventId));
}
