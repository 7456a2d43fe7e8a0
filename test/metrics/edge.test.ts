import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderEdge } from '../../services/edge/render.ts';
import { type OwnNginx, startNginx } from '../../tools/servers/nginx.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { checkMetrics, unknownNames } from './promtool.ts';

const folder = tempDir();
const routesFile = join(folder, 'routes.json');
let edge: OwnNginx;
let metricsUrl: string;

const pod = createServer((_request, response) => response.end('well'));

beforeAll(async () => {
  await new Promise<void>((resolve) => pod.listen(0, '127.0.0.1', resolve));
  const { port: podPort } = pod.address() as AddressInfo;
  // The first peer of two does not exist: half of the requests are brought to the other one.
  const peers = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${podPort}`];
  writeFileSync(routesFile, JSON.stringify({ events: { 'shop/phone': peers }, orders: [], any: [] }));
  const adminPort = await freePort();
  metricsUrl = `http://127.0.0.1:${adminPort}/metrics`;
  edge = await startNginx(serverOptions(process.env), {
    config: (nginx, { dir, port }) => renderEdge({ port, dir, routesFile, nginx, workers: 2, adminPort }),
  });
});
afterAll(async () => {
  await edge?.close();
  pod.close();
});

const text = async (): Promise<string> => (await fetch(metricsUrl)).text();
const countOf = (found: string, series: string): number =>
  Number(
    found
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1) ?? Number.NaN,
  );

describe('the edge', () => {
  test('counts what all of its workers answered, what it asked twice, and its connections', async () => {
    const before = await text();
    const added = (found: string, series: string) => countOf(found, series) - (countOf(before, series) || 0);
    for (let request = 0; request < 20; request += 1) {
      const response = await fetch(`${edge.url}/v1/events/shop/phone`, { headers: { connection: 'close' } });
      expect(response.status).toBe(200);
    }
    for (let request = 0; request < 5; request += 1) await fetch(`${edge.url}/nothing`);
    const waiting = connect(Number(new URL(edge.url).port), '127.0.0.1');
    await eventually(async () => {
      const found = await text();
      expect(added(found, 'seckill_edge_requests_total{code="200",role="edge"}')).toBe(20);
      expect(added(found, 'seckill_edge_requests_total{code="404",role="edge"}')).toBe(5);
      expect(added(found, 'seckill_edge_upstream_retries_total{role="edge"}')).toBeGreaterThanOrEqual(5);
      expect(added(found, 'seckill_edge_connections_accepted_total{role="edge"}')).toBeGreaterThanOrEqual(21);
      expect(countOf(found, 'seckill_edge_connections_dropped_total{role="edge"}')).toBe(0);
      expect(countOf(found, 'seckill_edge_connections{state="waiting",role="edge"}')).toBeGreaterThanOrEqual(1);
    });
    waiting.destroy();
  });

  test('tells it in clean text, under names of the catalogue, and to nobody outside', async () => {
    const found = await text();
    expect(await checkMetrics(found)).toBe('');
    expect(unknownNames(found)).toEqual([]);
    expect(found).toContain('# TYPE seckill_edge_requests_total counter');
    expect((await fetch(`${edge.url}/metrics`)).status).toBe(404);
  });
});
