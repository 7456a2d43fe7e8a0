import { randomBytes } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';
import { createLedger, type Ledger } from '../ledger/ledger.ts';
import { migrate } from '../ledger/migrate.ts';
import { encodeHold, type HoldMessage } from '../services/domain/hold-message.ts';
import { RESERVE_BATCH_MAX_ATTEMPTS } from '../services/domain/limits.ts';
import type { Attempt } from '../services/domain/reservation.ts';
import { systemClock } from '../services/kit/clock.ts';
import { createFaults } from '../services/kit/fault-points.ts';
import { createKafka } from '../services/kit/kafka/kafka.ts';
import type { ChunkHandler, KafkaPort } from '../services/kit/kafka/port.ts';
import { HOLDS_DEAD_TOPIC, HOLDS_PARTITIONS } from '../services/kit/kafka/topics.ts';
import type { Log } from '../services/kit/log.ts';
import { createMetrics } from '../services/kit/metrics.ts';
import { createDeadLetters } from '../services/order/dead-letters.ts';
import { createChunkHandler } from '../services/order/handle-chunk.ts';
import { CHUNK_MAX_MESSAGES, PARTITIONS_AT_ONCE } from '../services/order/limits.ts';
import { createStockBringer } from '../services/order/stock-bringer.ts';
import { figureOf, type Part, spoken } from './figure.ts';
import { BENCH_UNITS, ORDER_ROWS, ROUNDS, ROW_BY_ROW_MS } from './limits.ts';
import { until } from './relay.ts';
import { type Bench, type BenchSale, openSale, PRODUCT } from './sale.ts';
import { newAttempts } from './script.ts';

interface Stage {
  bench: Bench;
  kafka: KafkaPort;
  ledger: Ledger;
  sql: Connection;
  handle: ChunkHandler;
}

interface Stored {
  perSecond: number;
  /** Rows of a transaction, on average. */
  chunkSize: number;
}

/**
 * The order consumer, from Kafka to the ledger and back to Redis. Baselines: the same rows into a table of the same
 * shape, with a counter, by plain mysql2; as many a transaction, and one a transaction.
 */
export async function benchOrder(o: { bench: Bench; brokers: string[]; mysqlUrl: string; log: Log }): Promise<Part> {
  const { bench, log } = o;
  const url = `${o.mysqlUrl.replace(/\/$/, '')}/bench`;
  await migrate({ url, log });
  const ledger = createLedger({ url, log });
  const sql = await createConnection(url);
  const kafka = createKafka({ brokers: o.brokers, clientId: 'bench-order', log });
  const producer = kafka.producer();
  await producer.connect();
  const parts = { clock: systemClock, faults: createFaults({}), log, metrics: createMetrics({ role: 'bench' }) };
  const bringer = createStockBringer({ stock: bench.stock, ledger, ...parts });
  const handle = createChunkHandler({
    ledger,
    bringer,
    deadLetters: createDeadLetters({ producer, topic: HOLDS_DEAD_TOPIC, ...parts }),
    ...parts,
  });
  const stage: Stage = { bench, kafka, ledger, sql, handle };
  const rounds: { order: Stored; plain: number; single: number }[] = [];
  try {
    await sql.query('CREATE TABLE plain_orders LIKE orders');
    await sql.query('CREATE TABLE plain_events LIKE events');
    for (let round = -1; round < ROUNDS; round += 1) {
      // Both tables begin each round empty: what a row costs grows with the rows that are there.
      await sql.query('TRUNCATE TABLE orders');
      const { sale, holds } = await newHolds(stage, ORDER_ROWS);
      const order = await orderRound(stage, sale, holds, (messages) => producer.send(messages));
      const plain = await plainRound(stage, sale, holds, Math.round(order.chunkSize));
      const single = await singleRound(stage, sale, holds);
      if (round >= 0) rounds.push({ order, plain, single });
    }
  } finally {
    await Promise.all([producer.close(), ledger.close(), sql.end()]);
  }
  return {
    figures: [
      figureOf(
        'order, rows/s',
        0.7,
        rounds.map(({ order, plain }) => ({ own: order.perSecond, baseline: plain })),
      ),
      figureOf(
        'order, rows/s, to row by row',
        10,
        rounds.map(({ order, single }) => ({ own: order.perSecond, baseline: single })),
      ),
    ],
    details: [
      {
        what: 'order, from Kafka to the ledger and Redis',
        value: spoken(
          rounds.map(({ order }) => order.perSecond),
          'rows/s',
        ),
      },
      {
        what: 'order, rows of a transaction',
        value: spoken(
          rounds.map(({ order }) => order.chunkSize),
          'rows',
        ),
      },
      {
        what: 'plain mysql2, multi-row insert and counter, same batch',
        value: spoken(
          rounds.map(({ plain }) => plain),
          'rows/s',
        ),
      },
      {
        what: 'plain mysql2, row by row',
        value: spoken(
          rounds.map(({ single }) => single),
          'rows/s',
        ),
      },
    ],
  };
}

/** A sale in Redis and in the ledger, with its holds. */
export async function newHolds(
  { bench, ledger }: Pick<Stage, 'bench' | 'ledger'>,
  count: number,
): Promise<{ sale: BenchSale; holds: HoldMessage[] }> {
  const sale = await openSale(bench);
  const { entry, ref } = sale;
  const { namespace, name, startMs, endMs, unitsPerBuyer } = entry;
  const opened = await ledger.events.openEdition({
    namespace,
    name,
    uid: name,
    frozen: { product: PRODUCT, buckets: 1, unitsPerBuyer, startMs },
    totalUnits: BENCH_UNITS,
    endMs,
    paused: false,
    closed: false,
  });
  const generation = await ledger.events.beginPreheat(opened.event.eventId, opened.event);
  if (generation !== ref.generation) throw new Error('the ledger counts generations otherwise than the benchmark');
  await ledger.events.finishPreheat(ref.eventId, generation, entry.runs);
  return { sale, holds: await takeHolds(bench, sale, count) };
}

export async function takeHolds(bench: Bench, { ref }: BenchSale, count: number): Promise<HoldMessage[]> {
  const holds: HoldMessage[] = [];
  while (holds.length < count) {
    const attempts: Attempt[] = newAttempts(Math.min(RESERVE_BATCH_MAX_ATTEMPTS, count - holds.length));
    const decision = await bench.stock.reserve(ref, attempts, Number.MAX_SAFE_INTEGER);
    if (decision.status !== 'decided') throw new Error('Redis did not decide');
    for (const [index, attempt] of attempts.entries()) {
      const answer = decision.answers[index];
      if (answer?.status !== 'held') throw new Error('an attempt of the benchmark did not win');
      const { eventId, bucket, generation } = ref;
      const { journalId } = answer;
      holds.push({ v: 1, eventId, bucket, generation, ...attempt, journalId, heldAtMs: decision.nowMs });
    }
  }
  return holds;
}

async function orderRound(
  { kafka, handle }: Stage,
  { entry }: BenchSale,
  holds: readonly HoldMessage[],
  send: (messages: { topic: string; key: string; value: string }[]) => Promise<void>,
): Promise<Stored> {
  const topic = `bench-${entry.name}`;
  const admin = kafka.admin();
  await admin.ensureTopic({ topic, partitions: HOLDS_PARTITIONS, replicationFactor: 1 });
  await admin.close();
  for (let at = 0; at < holds.length; at += 1_000) {
    const part = holds.slice(at, at + 1_000);
    await send(part.map((hold) => ({ topic, key: hold.reservationId, value: encodeHold(hold) })));
  }
  let beganMs = 0;
  let endedMs = 0;
  let rows = 0;
  let chunks = 0;
  const consumer = kafka.consumer({
    groupId: `bench-${randomBytes(5).toString('hex')}`,
    topic,
    chunkMaxMessages: CHUNK_MAX_MESSAGES,
    partitionsAtOnce: PARTITIONS_AT_ONCE,
    onChunk: async (chunk, control) => {
      if (beganMs === 0) beganMs = performance.now();
      await handle(chunk, control);
      rows += chunk.length;
      chunks += 1;
      endedMs = performance.now();
    },
  });
  await consumer.start();
  try {
    await until(() => rows >= holds.length);
  } finally {
    await consumer.stop();
  }
  return { perSecond: (rows * 1_000) / (endedMs - beganMs), chunkSize: rows / chunks };
}

const COLUMNS =
  'id, event_id, bucket, generation, journal_id, buyer, units, state, reason, price_minor, currency, held_at_ms';

async function plainRound(
  { sql }: Stage,
  sale: BenchSale,
  holds: readonly HoldMessage[],
  size: number,
): Promise<number> {
  await newCounter(sql, sale);
  const beganMs = performance.now();
  for (let at = 0; at < holds.length; at += size) await storePlainly(sql, holds.slice(at, at + size));
  return (holds.length * 1_000) / (performance.now() - beganMs);
}

async function singleRound({ sql }: Stage, sale: BenchSale, holds: readonly HoldMessage[]): Promise<number> {
  await newCounter(sql, sale);
  const beganMs = performance.now();
  let rows = 0;
  while (performance.now() - beganMs < ROW_BY_ROW_MS) {
    await storePlainly(sql, holds.slice(rows, rows + 1));
    rows += 1;
  }
  return (rows * 1_000) / (performance.now() - beganMs);
}

/** Empty tables of the same shape, and the event's row with its counter. */
async function newCounter(sql: Connection, { ref }: BenchSale): Promise<void> {
  await sql.query('TRUNCATE TABLE plain_orders');
  await sql.query('TRUNCATE TABLE plain_events');
  await sql.query('INSERT INTO plain_events SELECT * FROM events WHERE event_id = ?', [ref.eventId]);
  await sql.query('UPDATE plain_events SET sold_units = 0');
}

async function storePlainly(sql: Connection, holds: readonly HoldMessage[]): Promise<void> {
  const eventId = holds[0]?.eventId;
  await sql.query('START TRANSACTION');
  await sql.query(
    'UPDATE plain_events SET sold_units = sold_units + ? WHERE event_id = ? AND sold_units + ? <= total_units',
    [holds.length, eventId, holds.length],
  );
  const rows = holds.map((hold) => [
    hold.reservationId,
    hold.eventId,
    hold.bucket,
    hold.generation,
    hold.journalId,
    hold.buyer,
    hold.units,
    'PENDING_PAYMENT',
    null,
    PRODUCT.priceMinor,
    PRODUCT.currency,
    hold.heldAtMs,
  ]);
  await sql.query(`INSERT INTO plain_orders (${COLUMNS}) VALUES ?`, [rows]);
  await sql.query('COMMIT');
}
