import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Ledger } from '../../ledger/ledger.ts';
import type { RedisLink } from '../../lua/connection.ts';
import { createJournal, type Journal } from '../../lua/journal.ts';
import { type AuditReport, auditEvent } from '../../operator/effects/audit.ts';
import { type AuditStep, createAuditFollower } from '../../operator/effects/follow-audit.ts';
import { type RecoverMemory, recover } from '../../operator/effects/recover.ts';
import type { HoldMessage } from '../../services/domain/hold-message.ts';
import { systemClock } from '../../services/kit/clock.ts';
import { createFaults } from '../../services/kit/fault-points.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { createMetrics } from '../../services/kit/metrics.ts';
import { createDeadLetters } from '../../services/order/dead-letters.ts';
import { createChunkHandler } from '../../services/order/handle-chunk.ts';
import { createReturnsSweeper } from '../../services/order/returns-sweeper.ts';
import { createStockBringer } from '../../services/order/stock-bringer.ts';
import { type LedgerBed, log, present } from '../ledger/bed.ts';
import { type Closers, closeAll, newTopic, openLink, openSale, type Sale, type Topic } from '../order/bed.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownRedis } from '../support/redis.ts';
import type { Victim } from './corruptions.ts';

const READ_MAX_ENTRIES = 500;

export interface Pipeline {
  sale: Sale;
  topic: Topic;
  journal: Journal;
  /** Brings what the journal has to Kafka, and acknowledges it, as the relay does. */
  relay(): Promise<void>;
  /** The same, without the acknowledgement. */
  relayHalf(): Promise<void>;
  /** Consumers and the sweep of returns, of this process. The answer stops them. */
  consume(): Promise<() => Promise<void>>;
  /** What the operator does when Redis forgot. The relay and the consumers must be at work, or have nothing to do. */
  recover(): Promise<void>;
  /**
   * A continuous audit of this sale, as a leader does it; it trims as far as it may. Looking in turn finds everything in a
   * small sale, so that it would hide what the other means do not find: it is left out unless asked for.
   */
  follow(options?: { looksInTurn?: boolean }): Follow;
  audit(options?: { settled?: boolean; waitMs?: number }): Promise<AuditReport>;
}

export interface Follow {
  step(): Promise<AuditStep | undefined>;
  /** Steps until one of them is complete. */
  complete(): Promise<AuditStep>;
}

export type SaleOfPipeline = Omit<Parameters<typeof openSale>[0], 'link' | 'ledger'>;

/** Pipelines on a Redis of this file. What a test opened is closed after it; `redis` is for breaking things by hand. */
export function pipelineBed(bed: Pick<LedgerBed, 'ledger' | 'sql'>): {
  open(sale?: SaleOfPipeline): Promise<Pipeline>;
  redis(): Redis;
  victim(pipeline: Pipeline, sold: readonly HoldMessage[]): Victim;
} {
  const server = ownRedis();
  const kafka = sharedKafka();
  const links: Closers = [];
  const closers: Closers = [];
  let link: RedisLink | undefined;
  beforeAll(async () => {
    link = await openLink(server.url, links);
  });
  afterEach(() => closeAll(closers));
  afterAll(() => closeAll(links));

  const connected = (): RedisLink => {
    if (link === undefined) throw new Error('the file has not begun');
    return link;
  };
  function redis(): Redis {
    const found = connected().current()?.redis;
    if (found === undefined) throw new Error('there is no connection');
    return found;
  }

  return {
    redis,
    open: (sale = { totalUnits: 100 }) =>
      openPipeline({ link: connected(), ledger: bed.ledger, brokers: kafka.brokers, closers, sale }),
    victim: ({ sale, relay }, sold) => ({
      ...{ ref: sale.ref, stock: sale.stock, redis: redis(), ledger: bed.ledger, sql: bed.sql, relay },
      orders: sold.map(({ reservationId: id, buyer }) => ({ id, buyer })),
      // Nobody relays here unless told.
      sellUnrelayed: async () => void (await sale.hold(1)),
    }),
  };
}

/** A sale with all that stands between Redis and the ledger, each part started by the test. */
async function openPipeline(o: {
  link: RedisLink;
  ledger: Ledger;
  brokers: string[];
  closers: Closers;
  sale: SaleOfPipeline;
}): Promise<Pipeline> {
  const { link, ledger, brokers, closers } = o;
  const sale = await openSale({ link, ledger, ...o.sale });
  await ledger.events.arm(sale.eventId, 1);
  const topic = await newTopic(brokers, closers, 2);
  const journal = createJournal({ link });
  const kafka = createKafka({ brokers, clientId: 'test', log });

  async function relayEntries(acknowledge: boolean): Promise<void> {
    for (;;) {
      const { entries, serial } = await journal.read(sale.eventId, 0, 'test', READ_MAX_ENTRIES);
      if (entries.length === 0) return;
      const messages = entries.flatMap((entry): HoldMessage[] => {
        if (entry.type !== 'held') return [];
        const { id: journalId, generation, atMs: heldAtMs, units, reservationId, buyer } = entry;
        return [
          { v: 1, eventId: sale.eventId, bucket: 0, generation, journalId, reservationId, buyer, units, heldAtMs },
        ];
      });
      await topic.send(messages);
      const ids = entries.map(({ id }) => id);
      if (acknowledge) await journal.ack(sale.eventId, 0, ids, serial);
    }
  }

  return {
    ...{ sale, topic, journal },
    relay: () => relayEntries(true),
    relayHalf: () => relayEntries(false),
    async consume() {
      const faults = createFaults({});
      const metrics = createMetrics({ role: 'order' });
      const bringer = createStockBringer({ stock: sale.stock, ledger, faults, log, metrics });
      const producer = kafka.producer();
      const deadLetters = createDeadLetters({ producer, log, metrics, topic: topic.dead });
      const consumer = kafka.consumer({
        groupId: topic.group,
        topic: topic.holds,
        chunkMaxMessages: 100,
        onChunk: createChunkHandler({ ledger, bringer, deadLetters, clock: systemClock, faults, metrics }),
      });
      const sweeper = createReturnsSweeper({ ledger, bringer, faults, log });
      await consumer.start();
      sweeper.start();
      let stopped: Promise<void> | undefined;
      const stop = (): Promise<void> => {
        stopped ??= Promise.all([consumer.stop(), sweeper.stop()]).then(() => producer.close());
        return stopped;
      };
      closers.push(stop);
      return stop;
    },
    async recover() {
      const { admin } = topic;
      const mapped = {
        ...admin,
        endOffsets: () => admin.endOffsets(topic.holds),
        takenOffsets: () => admin.takenOffsets(topic.group, topic.holds),
      };
      const { stock } = sale;
      const deps = {
        link,
        stock,
        journal,
        ledger,
        kafka,
        admin: mapped,
        faults: createFaults({}),
        clock: systemClock,
        log,
      };
      const memory: RecoverMemory = { draining: new Map() };
      const { signal } = new AbortController();
      await eventually(
        async () => {
          const outcome = await recover(deps, memory, await present(ledger, sale.eventId), signal);
          if (outcome.status !== 'done') throw new Error(`it did not recover: ${JSON.stringify(outcome)}`);
        },
        { deadlineMs: 60_000, intervalMs: 20 },
      );
      sale.ref.generation = (await present(ledger, sale.eventId)).generation;
    },
    follow({ looksInTurn = false } = {}) {
      const { stock } = sale;
      const { admin: kafkaAdmin, holds, group } = topic;
      const follower = createAuditFollower({
        ...{ stock, journal, ledger, kafka: kafkaAdmin, topic: holds, group, log, journalKeepMs: 0, looksInTurn },
        // On a busy machine any comparison takes long; a test that counts rounds must not depend on it.
        fullRestTimes: 0,
      });
      const step = async () => follower.step(await present(ledger, sale.eventId));
      return {
        step,
        complete: () =>
          eventually(
            async () => {
              const seen = await step();
              if (seen?.complete !== true) throw new Error('the audit has not come round');
              return seen;
            },
            { intervalMs: 20 },
          ),
      };
    },
    async audit({ settled = false, waitMs = 20_000 } = {}) {
      const event = await present(ledger, sale.eventId);
      const { stock } = sale;
      return auditEvent(
        { stock, journal, ledger, kafka: topic.admin, event, topic: topic.holds, group: topic.group },
        { settled, waitMs },
      );
    },
  };
}
