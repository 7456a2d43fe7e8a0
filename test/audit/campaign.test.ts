import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRandom } from '../../cli/load/random.ts';
import { isLive } from '../../services/domain/order.ts';
import { expectExact } from '../sale/harness/judge.ts';
import { applySale, type Sale } from '../sale/harness/sale.ts';
import { stand, withPlatform } from '../sale/harness/stand.ts';
import { shownBy } from './shown.ts';

/*
 * False alarms of the continuous audit: sales under load, whose pipeline is killed, hangs and lags, while the six numbers
 * are read from the operators as Prometheus reads them, and a Prometheus with the product's alerts watches. One short sale is a part of every run; `npm run campaign:audit`
 * plays more and longer ones: SECKILL_AUDIT_SALES, SECKILL_AUDIT_SECONDS.
 */
const SALES = Number(process.env['SECKILL_AUDIT_SALES'] ?? 1);
const SALE_MS = Number(process.env['SECKILL_AUDIT_SECONDS'] ?? 10) * 1_000;
const BUYERS_PER_SECOND = 40;
const LOOK_EVERY_MS = 250;
const CALM_MAX_MS = 2_500;
const HANG_MAX_MS = 4_000;
const ROLES = ['operator', 'relay', 'order', 'order', 'relay'] as const;

/** Critical alerts that tell of what is done here, and so may fire. */
const RIGHTLY_FIRING: Readonly<Record<string, string>> = {
  SeckillNoLeader: 'operators are killed, and all of them hang',
  SeckillRelayStalled: 'all relays hang, or Kafka does',
  SeckillConsumerStuck: 'all consumers hang, or Kafka does',
  SeckillHoldUncommitted: 'holds wait for as long as hangs follow each other',
  SeckillAuditStale: 'nothing is audited complete while what was told waits',
};

const platform = stand({ operators: 2, relays: 2, orders: 2, prometheus: true });

interface Seen {
  /** Readings of the six numbers, and those of them that were not all zero. */
  readings: number;
  alarms: string[];
  /** Ends of audits that were told, each once. */
  audits: Set<number>;
}

/** Reads the numbers of the sale from whichever operator shows them. */
async function look(key: string, seen: Seen): Promise<void> {
  const { accuracy, completedSeconds } = await shownBy(platform.release, key);
  const numbers = Object.entries(accuracy);
  if (numbers.length > 0) seen.readings += 1;
  seen.alarms.push(...numbers.filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${value}`));
  if (completedSeconds > 0) seen.audits.add(completedSeconds);
}

/** Critical alerts that fired at some time of the last so many seconds, but those that may. */
async function falseAlerts(seconds: number): Promise<string[]> {
  const firing = `count_over_time(ALERTS{alertstate="firing",severity=~"critical|none"}[${seconds}s])`;
  const query = new URLSearchParams({ query: `count by (alertname) (${firing})` });
  const response = await fetch(`${platform.release.endpoints().prometheus}/api/v1/query?${query}`);
  const { data } = (await response.json()) as { data: { result: { metric: Record<string, string> }[] } };
  const names = data.result.map(({ metric }) => metric['alertname'] ?? '');
  expect(names, 'what always fires shows that somebody watched').toContain('SeckillWatchdog');
  return names.filter((name) => name !== 'SeckillWatchdog' && !(name in RIGHTLY_FIRING));
}

type FaultKind = 'kill' | 'hang' | 'hangOfAll' | 'hangOfKafka' | 'cancellation';

interface Disturbed {
  log: string[];
  kinds: Partial<Record<FaultKind, number>>;
  cancelled: string[];
}

/** Kills, hangs and cancels by the seed until the time is over; what hangs goes on in the end. */
async function disturb(sale: Sale, seed: number, untilMs: number): Promise<Disturbed> {
  const random = createRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const log: string[] = [];
  const kinds: Disturbed['kinds'] = {};
  const note = (kind: FaultKind, line: string): void => {
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    log.push(line);
  };
  const cancelled: string[] = [];
  const hangs: Promise<unknown>[] = [];
  const send = (pid: number, signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // It has just died of something else.
    }
  };
  while (performance.now() < untilMs) {
    await delay(below(CALM_MAX_MS));
    const role = ROLES[below(ROLES.length)] ?? 'relay';
    const pids = platform.pids(role);
    const pid = pids[below(pids.length)];
    const dice = below(10);
    const hangMs = below(HANG_MAX_MS);
    if (dice < 3 && pid !== undefined) {
      note('kill', `${role} is killed`);
      send(pid, 'SIGKILL');
    } else if (dice < 6 && pid !== undefined) {
      note('hang', `${role} hangs for ${hangMs} ms`);
      send(pid, 'SIGSTOP');
      hangs.push(delay(hangMs).then(() => send(pid, 'SIGCONT')));
    } else if (dice < 8) {
      note('hangOfAll', `all of ${role} hang for ${hangMs} ms`);
      for (const one of pids) send(one, 'SIGSTOP');
      hangs.push(delay(hangMs).then(() => pids.forEach((one) => void send(one, 'SIGCONT'))));
    } else if (dice === 8) {
      note('hangOfKafka', `kafka hangs for ${hangMs} ms`);
      await platform.kafka.kill('SIGSTOP');
      hangs.push(delay(hangMs).then(() => platform.kafka.kill('SIGCONT')));
    } else {
      await withPlatform(platform, async ({ ledger }) => {
        const live = (await ledger.orders.page(sale.eventId, 0, 5_000)).filter(({ state }) => isLive(state));
        const some = live.filter(() => random() < 0.02);
        note('cancellation', `${some.length} orders are cancelled`);
        for (const { id } of some) {
          cancelled.push(id);
          await ledger.orders.cancel({ id, reason: 'by-test', to: 'CANCELLED' });
        }
      }).catch((error: unknown) => log.push(`nothing could be cancelled: ${String(error)}`));
    }
  }
  await Promise.all(hangs);
  return { log, kinds, cancelled };
}

test.for(Array.from({ length: SALES }, (_, index) => index + 1))(
  'while the pipeline of a sale is killed, hangs and lags, the six numbers stay at zero (sale %i)',
  { timeout: 2 * SALE_MS + 240_000 },
  async (seed) => {
    const beganMs = performance.now();
    const buyers = Math.ceil((SALE_MS / 1_000) * BUYERS_PER_SECOND);
    const sale = applySale(platform, { units: Math.ceil(buyers * 0.9) });
    await sale.open();
    const play = await sale.play({ buyers, overMs: SALE_MS, seed, prefix: `campaign-${seed}` });
    const seen: Seen = { readings: 0, alarms: [], audits: new Set() };
    let over = false;
    const looking = (async () => {
      while (!over) {
        await look(sale.key, seen);
        await delay(LOOK_EVERY_MS);
      }
    })();
    const { log, kinds, cancelled } = await disturb(sale, seed, performance.now() + SALE_MS);
    await play.result;
    const judgement = await sale.finish([play], cancelled);
    over = true;
    await looking;
    await look(sale.key, seen);
    const { readings, alarms, audits } = seen;
    const { told, orders, rebuilds } = judgement.counts;
    const line = { sale: seed, faults: log.length, kinds, told, orders, rebuilds, readings, audits: audits.size };
    process.stdout.write(`${JSON.stringify({ ...line, alarms: alarms.length })}\n`);
    expect(alarms, log.join('\n')).toEqual([]);
    expect(await falseAlerts(Math.ceil((performance.now() - beganMs) / 1_000)), log.join('\n')).toEqual([]);
    expect(readings).toBeGreaterThan(0);
    expect(audits.size).toBeGreaterThan(0);
    expectExact(judgement);
  },
);
