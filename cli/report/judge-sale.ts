import type { Ledger } from '../../ledger/ledger.ts';
import { PAGE_MAX_ROWS } from '../../ledger/limits.ts';
import { auditEvent } from '../../operator/effects/audit.ts';
import type { Endpoints } from '../../operator/platform/host/endpoints.ts';
import type { Finding } from '../../services/domain/accounting.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import type { LoadResult } from '../load/result.ts';
import { openPlatform } from '../platform.ts';
import { type ComparedOrder, compareWinners } from './compare.ts';
import { buildReport, type Moment, type Report, type ReportParts } from './report.ts';

/** Reads the ledger and audits: the report on a load that was played against an event. */
export async function judgeSale(o: {
  endpoints: Endpoints;
  event: { namespace: string; name: string };
  options: ReportParts['options'];
  settled: boolean;
  load: LoadResult;
  timeline: Moment[];
}): Promise<Report> {
  const { event, options, load, settled, timeline } = o;
  const platform = await openPlatform(o.endpoints);
  try {
    const row = await platform.ledger.events.latest(event.namespace, event.name);
    if (row === undefined) throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', 'The ledger does not know the event.');
    const audit = await auditEvent({ ...platform, event: row }, { settled });
    return buildReport({
      eventKey: eventKeyOf(event),
      eventId: row.eventId,
      options,
      load,
      orders: await platform.ledger.orders.countByState(row.eventId),
      accuracy: audit.accuracy,
      settled,
      comparison: compareWinners(load.winners, load.unknownBuyers, await readOrders(platform.ledger, row.eventId)),
      auditFindings: audit.findings.map(findingSentence),
      timeline,
    });
  } finally {
    await platform.close();
  }
}

async function readOrders(ledger: Ledger, eventId: string): Promise<ComparedOrder[]> {
  const orders: ComparedOrder[] = [];
  let after = 0;
  for (;;) {
    const page = await ledger.orders.page(eventId, after, PAGE_MAX_ROWS);
    for (const { id, buyer, units, state } of page) orders.push({ id, buyer, units, state });
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_MAX_ROWS) return orders;
    after = last.seq;
  }
}

/** A finding of the audit as people read it. */
export function findingSentence({ number, id, what }: Finding): string {
  return `${number}: ${id === undefined ? '' : `${id} `}${what}`;
}
