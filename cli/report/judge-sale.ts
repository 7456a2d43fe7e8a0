import type { Ledger } from '../../ledger/ledger.ts';
import { PAGE_MAX_ROWS } from '../../ledger/limits.ts';
import { auditEvent } from '../../operator/effects/audit.ts';
import type { Endpoints } from '../../operator/platform/host/endpoints.ts';
import type { Finding } from '../../services/domain/accounting.ts';
import { SeckillError } from '../../services/domain/errors.ts';
import { eventKeyOf } from '../../services/domain/event.ts';
import { openPlatform } from '../platform.ts';
import { type ComparedOrder, compareWinners } from './compare.ts';
import { buildReport, type Report, type ReportParts } from './report.ts';

/** Reads the ledger and audits: the report on a load that was played against an event. */
export async function judgeSale({
  endpoints,
  event,
  ...played
}: Pick<
  ReportParts,
  'options' | 'settled' | 'load' | 'timeline' | 'startedAtMs' | 'samples' | 'numbersInPrometheus'
> & {
  endpoints: Endpoints;
  event: { namespace: string; name: string };
}): Promise<Report> {
  const { load, settled } = played;
  const platform = await openPlatform(endpoints);
  try {
    const row = await platform.ledger.events.latest(event.namespace, event.name);
    if (row === undefined) throw new SeckillError('SECKILL_ERR_EVENT_UNKNOWN', 'The ledger does not know the event.');
    const audit = await auditEvent({ ...platform, event: row }, { settled });
    return buildReport({
      eventKey: eventKeyOf(event),
      eventId: row.eventId,
      ...played,
      orders: await platform.ledger.orders.countByState(row.eventId),
      accuracy: audit.accuracy,
      comparison: compareWinners(load.winners, load.unknownBuyers, await readOrders(platform.ledger, row.eventId)),
      auditFindings: audit.findings.map(findingSentence),
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
