import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as grafanaUnits from '@grafana/grafana-foundation-sdk/units';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { DASHBOARDS, renderDashboard } from '../../dashboards/grafana/dashboards.ts';
import { METRICS } from '../../services/kit/metrics/catalogue.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { findPrometheus } from '../../tools/servers/prometheus.ts';
import { tempDir } from '../support/temp-dir.ts';
import { renderDashboardsReadme } from './readme.ts';
import { schemaProgram } from './schema-program.ts';
import { allTargets, fillIn, panelsOf, type ReadPanel, readDashboards } from './targets.ts';

const root = join(import.meta.dirname, '../..');
const dir = tempDir();
const dashboards = readDashboards();
const EVERY = { datasource: 'prometheus', namespace: '.*', event: 'shop/phone-x', runbooks: 'docs/runbooks' };
const FILLED = {
  ...EVERY,
  target: '10000',
  utilization: '60',
  __rate_interval: '8s',
  __interval: '2s',
  __range: '15m',
};

function overlap(a: ReadPanel, b: ReadPanel): boolean {
  const [p, q] = [a.gridPos, b.gridPos];
  return p.x < q.x + q.w && q.x < p.x + p.w && p.y < q.y + q.h && q.y < p.y + p.h;
}

// What differs is renewed by `vitest -u`.
describe('the files that Grafana reads', () => {
  it.each(DASHBOARDS.map((spec) => [spec.uid, spec] as const))('%s is what the code says', async (uid, spec) => {
    await expect(renderDashboard(spec)).toMatchFileSnapshot(join(root, `helm/seckill/dashboards/${uid}.json`));
  });

  it('are listed with the question that each panel answers', async () => {
    await expect(renderDashboardsReadme()).toMatchFileSnapshot(join(root, 'dashboards/README.md'));
  });

  it('fit the types that Grafana publishes, panel by panel', async () => {
    const file = join(dir, 'schema.ts');
    writeFileSync(file, schemaProgram(root, DASHBOARDS.map(renderDashboard)));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
    const { code, stdout } = await runCommand(process.execPath, [tsc, ...flags, '--ignoreConfig', file]);
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});

describe.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (_uid, dashboard) => {
  const panels = panelsOf(dashboard);

  it('has no two panels in one place, and none beyond the 24 columns', () => {
    const clashes = dashboard.panels.flatMap((a, index) =>
      dashboard.panels.slice(index + 1).flatMap((b) => (overlap(a, b) ? [`${a.title} / ${b.title}`] : [])),
    );
    expect(clashes).toEqual([]);
    for (const { title, gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('describes each panel by a question, and gives it a unit that Grafana knows, thresholds and a query', () => {
    const known = new Set(Object.values(grafanaUnits).map(String));
    for (const { title, description, fieldConfig, targets } of panels) {
      expect(description, title).toMatch(/^[A-Z][^\n]*\?\n\n[A-Z]/);
      expect(known, title).toContain(fieldConfig?.defaults.unit ?? 'no unit');
      expect(fieldConfig?.defaults.thresholds?.steps.length, title).toBeGreaterThan(0);
      expect(targets?.length, title).toBeGreaterThan(0);
      for (const { instant, range } of targets ?? []) expect([instant ?? false, range ?? false]).toContain(true);
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  it('paints green what is known to be well, and never what nobody knows', () => {
    const stats = panels.filter(({ type }) => type === 'stat');
    expect(stats.length).toBeGreaterThan(0);
    for (const { title, fieldConfig } of stats) {
      const { noValue, thresholds } = fieldConfig?.defaults ?? {};
      // Where nothing is shown while all is well, nothing is good news.
      if (noValue !== 'none') expect(thresholds?.steps[0]?.color, title).not.toBe('green');
    }
  });

  it('tells each query how often the processes are scraped, which $__rate_interval goes by', () => {
    for (const { title, targets = [] } of panels) {
      for (const { interval } of targets) expect(interval, title).toBe('2s');
    }
  });

  it('chooses data source, release and event, marks the phases, and leads to the others and to the runbooks', () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    expect(names.slice(0, 4)).toEqual(['datasource', 'namespace', 'event', 'runbooks']);
    expect(dashboard.annotations.list.map(({ name }) => name)).toEqual(['Phases']);
    expect(dashboard.links.map(({ type, tags, url }) => [type, url ?? tags])).toEqual([
      ['dashboards', ['seckill']],
      ['link', '$runbooks'],
    ]);
  });

  it('leads to runbooks that are there', () => {
    const pages = new Set(readdirSync(join(root, 'docs/runbooks')));
    const links = panels.flatMap(({ links: own = [] }) => own.map(({ url }) => url));
    expect(links.length).toBeGreaterThan(0);
    for (const url of links) expect(pages, url).toContain(url.replace('$runbooks/', ''));
  });

  it('asks only for the release that was chosen, and uses no variable that nobody sets', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        const selectors = [...expr.matchAll(/[a-z0-9_]+\{([^}]*)\}/g)].map(([, matchers]) => matchers);
        expect(selectors.length, title).toBeGreaterThan(0);
        for (const matchers of selectors) expect(matchers, title).toContain('namespace=~"$namespace"');
        expect(fillIn(expr, FILLED), title).not.toContain('$');
      }
    }
  });
});

describe('the queries', () => {
  it('name metrics of the catalogue, those of Node, or those of a cluster', () => {
    const ours = new Set<string>(Object.values(METRICS).map(({ name }) => name));
    const named = new Set(
      allTargets().flatMap(({ expr }) => [...expr.matchAll(/([a-z0-9_]+)\{/g)].map(([, name]) => name)),
    );
    const foreign = [...named].filter((name = '') => !ours.has(name.replace(/_(bucket|sum|count)$/, '')));
    expect(foreign.sort()).toEqual([
      'container_cpu_usage_seconds_total',
      'kube_horizontalpodautoscaler_status_current_replicas',
      'kube_horizontalpodautoscaler_status_desired_replicas',
      'kube_pod_container_resource_requests',
      'nodejs_eventloop_lag_p99_seconds',
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
    ]);
  });

  it('are understood by Prometheus', async () => {
    const { promtool, env } = await findPrometheus(serverOptions(process.env));
    const annotations = dashboards.flatMap(({ annotations: { list } }) => list);
    const queries = [...allTargets(), ...annotations].map(({ expr }) => fillIn(expr, FILLED));
    const rules = queries.map((expr, index) => ({ record: `dashboard:query:${index}`, expr }));
    mkdirSync(dir, { recursive: true });
    const file = join(dir, 'queries.yaml');
    writeFileSync(file, stringify({ groups: [{ name: 'dashboards', rules }] }));
    const { code, stdout, stderr } = await runCommand(promtool, ['check', 'rules', '--lint=none', file], {
      env: { PATH: '/usr/bin:/bin', ...env },
    });
    expect(stdout + stderr).toContain(`${queries.length} rules found`);
    expect(code).toBe(0);
  });
});
