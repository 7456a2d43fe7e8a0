import { randomUUID } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { API_VERSION, KIND } from '../../operator/api/seckill-event.ts';
import { createObjectStore } from '../../operator/platform/host/object-store.ts';
import { listRecords } from '../../operator/platform/host/process-record.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { createKafka } from '../../services/kit/kafka/kafka.ts';
import { HOLDS_TOPIC } from '../../services/kit/kafka/topics.ts';
import { applySale, type Sale } from '../sale/harness/sale.ts';
import { stand, withPlatform } from '../sale/harness/stand.ts';
import { eventually } from '../support/eventually.ts';
import { DATA_ELSEWHERE, EMPTY_WHEN_WELL, NEVER_WHEN_WELL, ZERO_WHEN_WELL } from './rightly-empty.ts';
import { scraped } from './scraped-stand.ts';
import { allTargets, fillIn, readDashboards, type Target } from './targets.ts';

/** Far more than it takes; a machine may be busy. */
const timeout = 240_000;
const SEEN = { deadlineMs: 60_000, intervalMs: 500 };
/** From the manifest to the opening: the countdown is shown for some scrapes. */
const LEAD_MS = 20_000;
const UNITS = 400;

const platform = stand({ relays: 1, orders: 1, redis: { maxmemory: '256mb' } });
const prometheus = scraped(platform);
const targets = allTargets();
const foundWhenWell = new Map<string, number>();
const foundAboveZero = new Map<string, number>();
const foundInFaults = new Map<string, number>();

const nowSeconds = (): number => Date.now() / 1_000;
const nameOf = (key: string): Record<string, string> => ({
  ...{ namespace: '.*', event: key, target: '10000', utilization: '60' },
  // As Grafana fills them in for a scrape interval of one second.
  ...{ __rate_interval: '4s', __interval: '1s', __range: '1m' },
});

/** Asks each query about these events and remembers how many series it found. */
async function look(which: readonly Target[], keys: readonly string[], from: number, found: Map<string, number>) {
  const to = nowSeconds();
  for (const { name, expr } of which) {
    let series = 0;
    for (const key of keys) {
      series = Math.max(series, await prometheus.series(fillIn(expr, nameOf(key)), from, to));
    }
    found.set(name, Math.max(series, found.get(name) ?? 0));
  }
}

const without = (which: readonly Target[], found: Map<string, number>): string[] =>
  which.filter(({ name }) => (found.get(name) ?? 0) === 0).map(({ name }) => name);

/** Looks again and again until every one of the queries has found something. */
async function untilFound(which: readonly Target[], keys: readonly string[], from: number, found: Map<string, number>) {
  await eventually(async () => {
    const missing = new Set(without(which, found));
    await look(
      which.filter(({ name }) => missing.has(name)),
      keys,
      from,
      found,
    );
    expect(without(which, found)).toEqual([]);
  }, SEEN);
}

/** Sales that are still shown when the test is tried a second time. */
const ofFormerAttempts: string[] = [];

test('every panel shows something of a healthy sale, or is listed as rightly empty', { timeout }, async () => {
  const from = nowSeconds();
  const sale = applySale(platform, { units: UNITS, unitsPerBuyer: 2, startMs: Date.now() + LEAD_MS });
  onTestFinished(() => void ofFormerAttempts.push(sale.key));
  await sale.open();
  const play = await sale.play({ buyers: 3 * UNITS, overMs: 4_000 });
  await play.result;
  sale.change({ closed: true });
  await sale.until('settled', ({ phase }) => phase === 'Settled');
  const expected = targets.filter(({ name }) => !(name in EMPTY_WHEN_WELL) && !(name in DATA_ELSEWHERE));
  await untilFound(expected, [sale.key], from, foundWhenWell);
  await look(targets, [sale.key], from, foundWhenWell);
  expect(NEVER_WHEN_WELL.map((name) => [name, foundWhenWell.get(name)])).toEqual(
    NEVER_WHEN_WELL.map((name) => [name, 0]),
  );

  // And what the variables and the marks ask for.
  const [dashboard] = readDashboards();
  const variable = dashboard?.templating.list.find(({ name }) => name === 'event');
  const asked = typeof variable?.query === 'object' ? variable.query.query : '';
  const query = /^query_result\((.*)\)$/.exec(asked)?.[1] ?? '';
  const events = await prometheus.ask(fillIn(query, nameOf(sale.key)));
  const regex = new RegExp(variable?.regex?.slice(1, -1) ?? '');
  const keys = events.map(({ metric }) => regex.exec(`{event="${metric['event']}"} 1`)?.[1] ?? '');
  expect(keys.filter((key) => !ofFormerAttempts.includes(key))).toEqual([sale.key]);
  const phases = dashboard?.annotations.list[0]?.expr ?? '';
  expect(await prometheus.series(fillIn(phases, nameOf(sale.key)), from, nowSeconds())).toBeGreaterThan(2);
});

/** A sale that waits for a person, and whose pods hang: it is never armed. */
async function hinderedSale(): Promise<Sale> {
  const sale = applySale(platform, { units: 10, pods: 1, startMs: Date.now() + 1_800_000 });
  await sale.until('armed', ({ phase }) => phase === 'Armed');
  const pods = await listRecords(stateFolder(platform.stateDir).processes);
  for (const { value } of pods) {
    if (value.serves === sale.key && value.identity !== undefined) process.kill(value.identity.pid, 'SIGSTOP');
  }
  // Limits are frozen from the preheat on: an edit that slips through is no edit, and waits for a person.
  const store = createObjectStore(stateFolder(platform.stateDir).events);
  const event = await store.get(sale.key);
  if (event === undefined) throw new Error(`${sale.key} is gone`);
  const spec = { ...event.spec, limits: { ...event.spec.limits, unitsPerBuyer: 5 } };
  await store.apply({ apiVersion: API_VERSION, kind: KIND, metadata: event.metadata, spec }, Date.now(), () => []);
  return sale;
}

async function deadLetter(): Promise<void> {
  const log = pino({ level: 'silent' });
  const producer = createKafka({ brokers: platform.kafka.brokers, clientId: 'test', log }).producer();
  try {
    await producer.send([{ topic: HOLDS_TOPIC, key: randomUUID(), value: 'no hold at all' }]);
  } finally {
    await producer.close();
  }
}

/** Redis hangs while buyers come: what waits for it gets too old, and is sent away. */
async function silentRedis(sale: Sale): Promise<void> {
  const pods = `instance=~"seckill-${sale.key.replace('/', '[.]')}-.*"`;
  const sentAway = async (): Promise<number> => {
    const [seen] = await prometheus.ask(`sum(seckill_attempts_shed_total{${pods}})`);
    return Number(seen?.value);
  };
  // Of what a counter had when it was first seen, a rate knows nothing: the pod is new, and has to be found first.
  await eventually(async () => expect(await sentAway()).toBe(0), SEEN);
  const crowd = await sale.play({ buyers: 200, overMs: 1_000 });
  await platform.redis.kill('SIGSTOP');
  try {
    await eventually(async () => expect(await sentAway()).toBeGreaterThan(0), SEEN);
  } finally {
    await platform.redis.kill('SIGCONT');
  }
  await crowd.result;
}

/** The consumer's transaction waits for the row of the event, and its connection dies meanwhile; nobody else's does. */
async function lostTransaction(sale: Sale): Promise<void> {
  const connection = await createConnection(platform.mysqlUrl);
  try {
    await connection.beginTransaction();
    await connection.query('SELECT event_id FROM events WHERE event_id = ? FOR UPDATE', [sale.eventId]);
    const crowd = await sale.play({ buyers: 5, overMs: 50 });
    await eventually(async () => {
      const [rows] = await connection.query(
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE events SET sold_units%'",
      );
      const waiting = rows as { id: number }[];
      expect(waiting.length).toBeGreaterThan(0);
      for (const { id } of waiting) await connection.query('KILL ?', [id]);
    }, SEEN);
    await connection.rollback();
    await crowd.result;
  } finally {
    await connection.end();
  }
}

/** While the consumer sleeps, somebody gives a hold back by hand: then Redis and ledger contradict each other. */
async function contradiction(sale: Sale): Promise<void> {
  platform.signal('order', 'SIGSTOP');
  try {
    const crowd = await sale.play({ buyers: 5, overMs: 50 });
    const winner = (await crowd.result).winners[0];
    await withPlatform(platform, async ({ ledger, stock }) => {
      const event = await ledger.events.get(sale.eventId);
      if (event === undefined || winner === undefined) throw new Error('nobody has won');
      const ref = { eventId: sale.eventId, bucket: 0, generation: event.generation, run: event.runs[0] ?? '' };
      const { reservationId, buyer } = winner;
      const done = await stock.release(ref, [{ reservationId, buyer, units: 1 }]);
      expect(done).toEqual({ status: 'done', answers: ['released'] });
    });
  } finally {
    platform.signal('order', 'SIGCONT');
  }
}

test('what is empty while all is well shows the fault that it is there for', { timeout }, async () => {
  const from = nowSeconds();
  const hourMs = 3_600_000;
  const missed = applySale(platform, { units: 10, startMs: Date.now() - 2 * hourMs, endMs: Date.now() - hourMs });
  const hindered = await hinderedSale();
  const sale = applySale(platform, { units: 1_000, pods: 1 });
  await sale.open();
  await deadLetter();
  await lostTransaction(sale);
  await silentRedis(sale);
  await contradiction(sale);
  const listed = targets.filter(({ name }) => name in EMPTY_WHEN_WELL);
  expect(listed.length).toBe(Object.keys(EMPTY_WHEN_WELL).length);
  const keys = [missed.key, hindered.key, sale.key];
  await untilFound(listed, keys, from, foundInFaults);
  const above = targets
    .filter(({ name }) => ZERO_WHEN_WELL.includes(name))
    .map(({ name, expr }) => ({ name, expr: `(${expr}) > 0` }));
  expect(above.length).toBe(ZERO_WHEN_WELL.length);
  await untilFound(above, keys, from, foundAboveZero);
});

test('the table: series of each query in a healthy sale, and in one with faults', () => {
  const rows = targets.map(({ name }) => {
    const why = DATA_ELSEWHERE[name] ?? EMPTY_WHEN_WELL[name] ?? '';
    return [name.padEnd(72), foundWhenWell.get(name) ?? 0, foundInFaults.get(name) ?? '-', why].join('\t');
  });
  process.stdout.write(`${['query\twell\tfaults\twhy'.padEnd(72), ...rows].join('\n')}\n`);
  const dark = targets.filter(({ name }) => !foundWhenWell.get(name) && !foundInFaults.get(name));
  expect(dark.map(({ name }) => name).sort()).toEqual(Object.keys(DATA_ELSEWHERE).sort());
});
