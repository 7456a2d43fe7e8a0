import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createLedger, type Ledger } from '../ledger/ledger.ts';
import { migrate } from '../ledger/migrate.ts';
import { createJournal, type Journal } from '../lua/journal.ts';
import { auditEvent } from '../operator/effects/audit.ts';
import { type AuditFollower, createAuditFollower } from '../operator/effects/follow-audit.ts';
import { isAccurate } from '../services/domain/accounting.ts';
import type { HoldMessage } from '../services/domain/hold-message.ts';
import { TRANSITION_BATCH_MAX_RESERVATIONS } from '../services/domain/limits.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import type { Admin } from '../services/kit/kafka/port.ts';
import { HOLDS_PARTITIONS, ORDER_GROUP } from '../services/kit/kafka/topics.ts';
import type { Log } from '../services/kit/log.ts';
import { figureOf, type Part, spoken } from './figure.ts';
import { AUDIT_CHANGED_ORDERS, AUDIT_ROUNDS, AUDIT_SALES_ORDERS, POLL_MS, READY_MAX_MS } from './limits.ts';
import { newHolds, takeHolds } from './order.ts';
import type { Bench, BenchSale } from './sale.ts';

interface Stage {
  bench: Bench;
  ledger: Ledger;
  journal: Journal;
  kafka: Admin;
  topic: string;
}

interface Cost {
  orders: number;
  /** Milliseconds of an interval in which so many orders were new, of each round; and of one in which nothing was. */
  changedMs: number[];
  idleMs: number[];
  /** Of one full audit, which a count that disagrees would call for. */
  fullMs: number;
}

/**
 * What an interval of the continuous audit costs, with the same number of new orders, in sales of different sizes. Its
 * baseline is the smallest sale: the cost must not grow with the sale.
 */
export async function benchAudit(o: { bench: Bench; brokers: string[]; mysqlUrl: string; log: Log }): Promise<Part> {
  const { bench, log } = o;
  const url = `${o.mysqlUrl.replace(/\/$/, '')}/bench`;
  await migrate({ url, log });
  const ledger = createLedger({ url, log });
  const kafka = createKafka({ brokers: o.brokers, clientId: 'bench-audit', log }).admin();
  // The pipeline stands still and is empty: it is not what is measured.
  const topic = `bench-${randomBytes(5).toString('hex')}`;
  await kafka.ensureTopic({ topic, partitions: HOLDS_PARTITIONS, replicationFactor: 1 });
  await groupReady(kafka, topic);
  const stage: Stage = { bench, ledger, journal: createJournal({ link: bench.link }), kafka, topic };
  const costs: Cost[] = [];
  try {
    for (const orders of AUDIT_SALES_ORDERS) costs.push(await costOf(stage, orders, log));
  } finally {
    await Promise.all([ledger.close(), kafka.close()]);
  }
  const [small] = costs;
  if (small === undefined) throw new Error('no sale was measured');
  const named = (orders: number): string => orders.toLocaleString('en-US');
  return {
    figures: costs.slice(1).map(({ orders, changedMs }) =>
      figureOf(
        `audit, an interval at ${named(small.orders)} orders to one at ${named(orders)}`,
        0.5,
        changedMs.map((ms, round) => ({ own: small.changedMs[round] ?? Number.NaN, baseline: ms })),
      ),
    ),
    details: costs.flatMap(({ orders, changedMs, idleMs, fullMs }) => [
      {
        what: `audit, an interval with ${AUDIT_CHANGED_ORDERS} new orders, sale of ${named(orders)}`,
        value: spoken(changedMs, 'ms', 1),
      },
      { what: `audit, an interval without news, sale of ${named(orders)}`, value: spoken(idleMs, 'ms', 1) },
      { what: `audit, all of a sale of ${named(orders)} compared`, value: spoken([fullMs], 'ms') },
    ]),
  };
}

/** A fresh Kafka has yet to find the place of its groups. */
async function groupReady(kafka: Admin, topic: string): Promise<void> {
  const deadlineMs = Date.now() + READY_MAX_MS;
  for (;;) {
    try {
      await kafka.takenOffsets(ORDER_GROUP, topic);
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await pause(POLL_MS);
    }
  }
}

async function costOf(stage: Stage, orders: number, log: Log): Promise<Cost> {
  const { ledger, bench, journal, kafka, topic } = stage;
  const { sale, holds } = await newHolds(stage, orders);
  await deliver(stage, sale, holds);
  const { stock } = bench;
  const follower = createAuditFollower({ stock, journal, ledger, kafka, topic, log, journalKeepMs: 0 });
  const event = async () => {
    const found = await ledger.events.get(sale.ref.eventId);
    if (found === undefined) throw new Error('the ledger has lost the sale');
    return found;
  };
  // The first ones compare all, and trim the journal.
  for (let round = 0; round < 5; round += 1) await interval(follower, await event());
  const cost: Cost = { orders, changedMs: [], idleMs: [], fullMs: 0 };
  for (let round = 0; round < AUDIT_ROUNDS; round += 1) {
    await deliver(stage, sale, await takeHolds(bench, sale, AUDIT_CHANGED_ORDERS));
    // This one takes the mark behind which the next one finds them.
    await interval(follower, await event());
    cost.changedMs.push(await interval(follower, await event()));
    cost.idleMs.push(await interval(follower, await event()));
  }
  const beganMs = performance.now();
  const { accuracy } = await auditEvent(
    { stock, journal, ledger, kafka, topic, event: await event() },
    { settled: true },
  );
  cost.fullMs = performance.now() - beganMs;
  if (!isAccurate(accuracy)) throw new Error(`the sale of the benchmark is not exact: ${JSON.stringify(accuracy)}`);
  return cost;
}

async function interval(follower: AuditFollower, event: Parameters<AuditFollower['step']>[0]): Promise<number> {
  const beganMs = performance.now();
  const step = await follower.step(event);
  const tookMs = performance.now() - beganMs;
  if (step !== undefined && !isAccurate(step.accuracy)) throw new Error('the audit of the benchmark cries wolf');
  return tookMs;
}

/** What relay and consumers do, without Kafka between them. */
async function deliver(
  { bench, ledger, journal }: Stage,
  { ref }: BenchSale,
  holds: readonly HoldMessage[],
): Promise<void> {
  for (let at = 0; at < holds.length; at += TRANSITION_BATCH_MAX_RESERVATIONS) {
    const chunk = holds.slice(at, at + TRANSITION_BATCH_MAX_RESERVATIONS);
    await ledger.orders.storeHolds(ref.eventId, chunk);
    await bench.stock.commit(ref, chunk);
  }
  for (;;) {
    const { entries, serial } = await journal.read(ref.eventId, ref.bucket, 'bench', 1_000);
    if (entries.length === 0) return;
    const ids = entries.map(({ id }) => id);
    await journal.ack(ref.eventId, ref.bucket, ids, serial);
  }
}
