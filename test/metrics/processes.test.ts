import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { admit } from '../../cli/tokens.ts';
import { type Release, startRelease } from '../../cli/up/release.ts';
import { readEvents } from '../../operator/platform/host/state.ts';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { readTokenKeys } from '../../services/kit/token-keys.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { plainManifest, withField } from '../operator/manifests.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { checkMetrics, seriesOf, unknownNames } from './promtool.ts';

const PATIENT = { deadlineMs: 90_000, intervalMs: 250 };
const SERIES_MAX = 300;
const UNITS = 12;
const dir = tempDir();
const manifests = join(dir, 'manifests');
const state = join(dir, 'state');
const running = ['sale-0', 'sale-1', 'sale-2', 'sale-3', 'sale-4'];
const later = Array.from({ length: 30 }, (_, index) => `later-${index}`);
const stopping = new AbortController();
let release: Release;

function writeEvent(name: string, startTime: string): void {
  const fields = {
    ...{ 'metadata.name': name, 'spec.stock.totalUnits': UNITS },
    ...{ 'spec.schedule.startTime': startTime, 'spec.schedule.endTime': '2099-01-01T00:00:00Z' },
    ...{ 'spec.scaling.minReplicas': 1, 'spec.scaling.openReplicas': 1 },
  };
  const manifest = Object.entries(fields).reduce((at, [path, value]) => withField(at, path, value), plainManifest());
  writeFileSync(join(manifests, `${name}.yaml`), stringify(manifest));
}

/** What the buyers of each sale heard, by status or code. */
const heard = new Map<string, Map<string, number>>();

/** As many buyers as there are units, and as many again. */
async function sellOut(name: string): Promise<void> {
  const event = (await readEvents(state)).find(({ metadata }) => metadata.name === name);
  const sale = { eventId: event?.status?.eventId ?? '', endMs: Date.parse(event?.status?.endTime ?? '') };
  const keys = readTokenKeys(stateFolder(state).tokenKeys);
  const buyers = admit(keys, sale, { count: 2 * UNITS, nowMs: Date.now(), prefix: name });
  const url = `${release.endpoints().sale}/v1/events/shop/${name}/reservations`;
  const told = heard.get(name) ?? new Map<string, number>();
  heard.set(name, told);
  for (const { token } of buyers) {
    let attempt = 0;
    await eventually(async () => {
      attempt += 1;
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(url, {
        ...{ method: 'POST', headers: { ...headers, 'seckill-attempt': `${attempt}` }, body: '{"units":1}' },
      });
      const { code = `${answer.status}` } = (await answer.json()) as { code?: string };
      told.set(code, (told.get(code) ?? 0) + 1);
      // Of a success that no pod could tell of in time, its repeat tells.
      expect(told.has('202') ? [200, 201, 409] : [201, 409]).toContain(answer.status);
    }, PATIENT);
  }
}

interface Found {
  metric: Record<string, string>;
  value: number;
}

async function query(expression: string): Promise<Found[]> {
  const url = `${release.endpoints().prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const { data } = (await (await fetch(url)).json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

/** The text of every process that Prometheus reads, by the name of the process. */
async function texts(): Promise<Map<string, string>> {
  const response = await fetch(`${release.endpoints().prometheus}/api/v1/targets?state=active`);
  const { data } = (await response.json()) as {
    data: { activeTargets: { scrapeUrl: string; labels: Record<string, string> }[] };
  };
  const found = data.activeTargets.map(async ({ scrapeUrl, labels }) => {
    return [labels['instance'] ?? '', await (await fetch(scrapeUrl)).text()] as const;
  });
  return new Map(await Promise.all(found));
}

beforeAll(async () => {
  mkdirSync(manifests);
  for (const name of running) writeEvent(name, '2026-01-01T00:00:00Z');
  for (const name of later) writeEvent(name, '2098-01-01T00:00:00Z');
  release = await startRelease({
    ...{ stateDir: state, manifests: [manifests], operators: 2, relays: 1, orders: 1, prometheus: true },
    ...{ port: await freePort(), log: () => {}, signal: stopping.signal, logLevel: 'warn' },
    servers: (report) => serverOptions(process.env, report),
  });
}, 300_000);
afterAll(async () => {
  await release?.stop();
}, 120_000);

describe('the processes of a platform with many events', { timeout: 240_000 }, () => {
  test('are all read by Prometheus as they come', async () => {
    const pods = running.map((name) => `seckill-shop.${name}-0`);
    const expected = ['edge', 'operator-0', 'operator-1', 'order-0', 'relay-0', ...pods].sort();
    await eventually(async () => {
      const up = await query('up{job="seckill"} == 1');
      expect(up.map(({ metric }) => metric['instance']).sort()).toEqual(expected);
    }, PATIENT);
  });

  test('show at most 300 series each, under load, in clean text, under names of the catalogue', async () => {
    for (const name of running) await sellOut(name);
    await eventually(async () => {
      const sold = await query('max by (event) (seckill_stock_units{state="committed"})');
      expect(sold.map(({ value }) => value)).toEqual(running.map(() => UNITS));
    }, PATIENT);
    const found = await texts();
    expect(found.size).toBe(10);
    for (const [instance, text] of found) {
      expect(await checkMetrics(text), instance).toBe('');
      expect(unknownNames(text), instance).toEqual([]);
      expect(seriesOf(text).length, instance).toBeLessThanOrEqual(SERIES_MAX);
    }
  });

  test('leave what is told of events to the operator that leads', async () => {
    const found = [...(await texts())].filter(([, text]) => /^seckill_(?!reservation_answers)\w+\{event=/m.test(text));
    expect(found.map(([instance]) => instance)).toEqual([expect.stringMatching(/^operator-[01]$/)]);
    const [, text = ''] = found[0] ?? [];
    expect(text).toContain('seckill_operator_leader{role="operator"} 1');
    // Those that run in full, some to come in brief; of the others is told how many there are.
    expect(text).toContain('seckill_events{shown="full",role="operator"} 5');
    expect(text).toContain('seckill_events{shown="brief",role="operator"} 15');
    expect(text).toContain('seckill_events{shown="none",role="operator"} 15');
    for (const name of running) {
      expect(text).toMatch(new RegExp(`^seckill_stock_units\\{event="shop/${name}",state="committed"`, 'm'));
      expect(text).toMatch(new RegExp(`^seckill_accuracy\\{event="shop/${name}",number="broken"`, 'm'));
    }
  });

  test('tell of a sale from the first answer to the order', async () => {
    const event = 'event="shop/sale-0"';
    const told = (what: string) => heard.get('sale-0')?.get(what) ?? 0;
    expect(told('201')).toBeGreaterThan(0);
    expect(told('SECKILL_ERR_SOLD_OUT')).toBeGreaterThanOrEqual(UNITS);
    const facts: [string, number][] = [
      [`sum(seckill_reservation_answers_total{${event},answer="held"})`, told('201')],
      [`sum(seckill_reservation_answers_total{${event},answer="SECKILL_ERR_SOLD_OUT"})`, told('SECKILL_ERR_SOLD_OUT')],
      [`max(seckill_event_phase{${event},phase="SoldOut"})`, 1],
      [`max(seckill_event_armed{${event}})`, 1],
      [`max(seckill_pods_ready{${event}})`, 1],
      [`max(seckill_stock_units{${event},state="available"})`, 0],
      [`max(seckill_orders{${event},state="PENDING_PAYMENT"})`, UNITS],
      [`max(seckill_sold_units{${event}})`, UNITS],
      [`max(seckill_oldest_uncommitted_hold_seconds{${event}})`, 0],
      ['sum(seckill_order_rows_total{outcome="new"})', running.length * UNITS],
      ['sum(seckill_hold_to_order_seconds_count)', running.length * UNITS],
      ['max(seckill_consumer_lag_messages)', 0],
      ['max(seckill_relay_lag_messages)', 0],
      ['max(seckill_redis_policy_noeviction)', 1],
      ['max(seckill_redis_aof_healthy)', 1],
      ['sum(seckill_server_up)', 3],
      ['max(seckill_kafka_under_replicated_partitions)', 0],
    ];
    for (const [expression, value] of facts) {
      await eventually(async () => {
        expect(
          (await query(expression)).map((found) => found.value),
          expression,
        ).toEqual([value]);
      }, PATIENT);
    }
    const peaks = await query('max_over_time(seckill_answers_peak_per_second{role="seckill"}[10m])');
    expect(Math.max(...peaks.map(({ value }) => value))).toBeGreaterThan(0);
  });

  test('are under the eyes of the rules, none of which fails, and none fires but the watchdog', async () => {
    const response = await fetch(`${release.endpoints().prometheus}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; type: string; health: string }[] }[] };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.filter(({ type }) => type === 'alerting').length).toBeGreaterThanOrEqual(30);
    await eventually(async () => {
      const firing = await query('ALERTS{alertstate="firing"}');
      expect(firing.map(({ metric }) => metric['alertname'])).toEqual(['SeckillWatchdog']);
    }, PATIENT);
    expect(rules.filter(({ health }) => health === 'err')).toEqual([]);
  });
});
