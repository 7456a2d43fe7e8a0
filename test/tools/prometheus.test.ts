import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serverOptions } from '../../tools/servers/options.ts';
import { type OwnPrometheus, startPrometheus } from '../../tools/servers/prometheus.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';

const targets = tempDir();
let prometheus: OwnPrometheus;

const shop = createServer((_request, response) => response.end('# TYPE shop_units gauge\nshop_units 7\n'));

beforeAll(async () => {
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
  prometheus = await startPrometheus(serverOptions(process.env), { targetFiles: [join(targets, '*.json')] });
});
afterAll(async () => {
  await prometheus?.close();
  shop.close();
});

const query = async (expression: string): Promise<[string, string][]> => {
  const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return data.result.map(({ metric, value }) => [metric['instance'] ?? '', value[1]]);
};

test('a Prometheus of ours scrapes a target that is named in a file after it started, and remembers over a restart', async () => {
  const { port } = shop.address() as AddressInfo;
  const target = { targets: [`127.0.0.1:${port}`], labels: { instance: 'shop-0' } };
  writeFileSync(join(targets, 'shop.json'), JSON.stringify([target]));
  await eventually(async () => expect(await query('shop_units')).toEqual([['shop-0', '7']]));
  await prometheus.stop();
  await prometheus.start();
  expect(await query('count_over_time(shop_units[5m]) > 0')).toHaveLength(1);
});
