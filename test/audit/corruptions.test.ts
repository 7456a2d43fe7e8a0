import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { AUDIT_INTERVAL_MS } from '../../operator/effects/audit-limits.ts';
import { ACCURATE } from '../../services/domain/accounting.ts';
import { statementOn } from '../ledger/bed.ts';
import { applySale, type Sale } from '../sale/harness/sale.ts';
import { stand, withPlatform } from '../sale/harness/stand.ts';
import { eventually } from '../support/eventually.ts';
import { alertOf, type Measured, renderCorruptions, wrongCell } from './corruption-document.ts';
import { CORRUPTED_ORDERS, CORRUPTED_UNITS, CORRUPTIONS, type Corruption, type Victim } from './corruptions.ts';
import { shownBy } from './shown.ts';

/*
 * Corruptions under a real leader, as an SRE sees them. In every run some of them are made at once, and the leader's
 * numbers are looked at. `npm run campaign:corruptions` makes all of them, one after the other, measures how long it takes
 * until the numbers stand and until the product's alerts fire in Prometheus, and writes docs/corruptions.md.
 */
const CAMPAIGN = process.env['SECKILL_CORRUPTIONS'] !== undefined;
const DOCUMENT = join(import.meta.dirname, '../../docs/corruptions.md');
/** Far more than it takes; a machine may be busy. */
const PATIENT = { deadlineMs: 90_000, intervalMs: 100 };
/** An alert needs a scrape, and the rule's time, which is looked at every five seconds. */
const WATCHED_MAX_MS = 45_000;
/** How long numbers that should stay zero are looked at, and those that went by themselves. */
const QUIET_MS = 20_000;
const LOOK_EVERY_MS = 100;
/** Two intervals, and what a look itself may take. */
const NUMBER_MAX_MS = 2 * AUDIT_INTERVAL_MS + 1_000;

const platform = stand({ relays: 1, prometheus: CAMPAIGN });

interface Alert {
  labels: Record<string, string>;
  state: string;
}

/** Names of the alerts that fire for the sale. */
async function firing(key: string): Promise<string[]> {
  const url = `${platform.release.endpoints().prometheus}/api/v1/alerts`;
  const { data } = (await (await fetch(url)).json()) as { data: { alerts: Alert[] } };
  const mine = data.alerts.filter(({ labels, state }) => labels['event'] === key && state === 'firing');
  return [...new Set(mine.map(({ labels }) => labels['alertname'] ?? ''))];
}

/** Sells ten units, and waits until they were audited twice: nothing is on its way any more. */
async function sell(sale: Sale): Promise<void> {
  await sale.open(PATIENT.deadlineMs);
  const { winners } = await (await sale.play({ buyers: CORRUPTED_ORDERS, overMs: 200 })).result;
  expect(winners).toHaveLength(CORRUPTED_ORDERS);
  await eventually(async () => {
    const rows = await statementOn(platform.mysqlUrl, 'SELECT id FROM orders WHERE event_id = ?', [sale.eventId]);
    expect(rows).toHaveLength(CORRUPTED_ORDERS);
  }, PATIENT);
  for (let audits = 0; audits < 2; audits += 1) {
    const sinceSeconds = Date.now() / 1_000;
    await eventually(async () => {
      const { accuracy, completedSeconds } = await shownBy(platform.release, sale.key);
      expect(accuracy).toEqual(ACCURATE);
      expect(completedSeconds).toBeGreaterThan(sinceSeconds);
    }, PATIENT);
  }
}

async function corrupt(sale: Sale, { corrupt: change }: Corruption): Promise<void> {
  const redis = new Redis(platform.redis.url);
  try {
    await withPlatform(platform, async ({ ledger, stock }) => {
      const event = await ledger.events.get(sale.eventId);
      const victim: Victim = {
        ...{ redis, ledger, stock, orders: await ledger.orders.page(sale.eventId, 0, CORRUPTED_ORDERS) },
        ref: { eventId: sale.eventId, bucket: 0, generation: event?.generation ?? 0, run: event?.runs[0] ?? '' },
        sql: (statement, values) => statementOn(platform.mysqlUrl, statement, values),
        async sellUnrelayed() {
          platform.signal('relay', 'SIGSTOP');
          const { winners } = await (await sale.play({ buyers: 1, overMs: 1 })).result;
          expect(winners).toHaveLength(1);
        },
        relay: async () => void platform.signal('relay', 'SIGCONT'),
      };
      await change(victim);
    });
  } finally {
    redis.disconnect();
    platform.signal('relay', 'SIGCONT');
  }
}

/** Looks at the numbers and the alerts of a sale that has just been corrupted, until there is nothing more to see. */
async function measure(sale: Sale, { what, wrong }: Corruption): Promise<Measured> {
  const beganMs = performance.now();
  const expected = { ...ACCURATE, ...wrong };
  const measured: Measured = { what, wrong, seen: [], alerts: [] };
  for (;;) {
    const { accuracy } = await shownBy(platform.release, sale.key);
    const firingNow = await firing(sale.key);
    const afterMs = performance.now() - beganMs;
    const last = measured.seen.at(-1)?.accuracy ?? ACCURATE;
    if (Object.keys(accuracy).length > 0 && !isDeepStrictEqual(accuracy, last))
      measured.seen.push({ afterMs, accuracy });
    for (const alert of firingNow) {
      if (!measured.alerts.some(({ name }) => name === alert)) measured.alerts.push({ name: alert, afterMs });
    }
    const quiet = isDeepStrictEqual(measured.seen.at(-1)?.accuracy ?? ACCURATE, ACCURATE);
    const numbersStand = isDeepStrictEqual(accuracy, expected);
    const allFire = Object.keys(wrong).every((number) => measured.alerts.some(({ name }) => name === alertOf(number)));
    if (!quiet && numbersStand && allFire) return measured;
    // Nothing is expected, or it went by itself.
    const changes = measured.seen.length > 0 || Object.keys(wrong).length === 0;
    if (quiet && changes && afterMs - (measured.seen.at(-1)?.afterMs ?? 0) > QUIET_MS) return measured;
    if (afterMs > WATCHED_MAX_MS) return measured;
    await delay(LOOK_EVERY_MS);
  }
}

// Neither is skipped in the other's run: what is not for a run is not in it.
if (CAMPAIGN) {
  const measured: Measured[] = [];

  test.each(CORRUPTIONS)(
    '$what: stands in the numbers, and fires its alert',
    {
      timeout: 300_000,
    },
    async (corruption) => {
      const sale = applySale(platform, { units: CORRUPTED_UNITS, pods: 1 });
      await sell(sale);
      await corrupt(sale, corruption);
      const one = await measure(sale, corruption);
      measured.push(one);
      process.stdout.write(`${JSON.stringify(one)}\n`);
      sale.change({ closed: true });
      const { wrong } = corruption;
      const expected = { ...ACCURATE, ...wrong };
      const stood = one.seen.find(({ accuracy }) => isDeepStrictEqual(accuracy, expected));
      if (Object.keys(wrong).length === 0) {
        expect(one).toMatchObject({ seen: [], alerts: [] });
        return;
      }
      expect(stood?.afterMs).toBeLessThan(NUMBER_MAX_MS);
    },
  );

  test('all of it is written down', () => {
    expect(measured).toHaveLength(CORRUPTIONS.length);
    writeFileSync(DOCUMENT, renderCorruptions(measured));
  });
} else {
  test('what is corrupted under a running leader stands in its numbers, by the right amount', {
    timeout: 300_000,
  }, async () => {
    const some = CORRUPTIONS.filter(({ inEveryRun }) => inEveryRun === true);
    expect(some.length).toBeGreaterThan(5);
    const sales = some.map((corruption) => ({
      corruption,
      sale: applySale(platform, { units: CORRUPTED_UNITS, pods: 1 }),
    }));
    await Promise.all(sales.map(({ sale }) => sell(sale)));
    // In turn: one of them stops the relays for a moment.
    for (const { sale, corruption } of sales) await corrupt(sale, corruption);
    await Promise.all(
      sales.map(({ sale, corruption: { what, wrong } }) =>
        eventually(async () => {
          const { accuracy } = await shownBy(platform.release, sale.key);
          expect(accuracy, what).toEqual({ ...ACCURATE, ...wrong });
        }, PATIENT),
      ),
    );
  });
}

test('docs/corruptions.md has every corruption, and what is wrong by it', () => {
  const rows = readFileSync(DOCUMENT, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '));
  const told = rows.slice(2).map((line) => line.split(' | ').slice(0, 2).join(' | '));
  expect(told).toEqual(CORRUPTIONS.map(({ what, wrong }) => `| ${what} | ${wrongCell(wrong)}`));
});
