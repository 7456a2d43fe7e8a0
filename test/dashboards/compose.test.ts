import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { serversOf } from '../../cli/environment.ts';
import { DASHBOARDS } from '../../dashboards/grafana/dashboards.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { findPrometheus } from '../../tools/servers/prometheus.ts';
import { tempDir } from '../support/temp-dir.ts';

type Mount = string | { source: string; target: string };
interface Service {
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  volumes?: Mount[];
}

// Docker cannot be had where this runs: what can be held against itself is held against itself.
const root = join(import.meta.dirname, '../..');
const dir = tempDir();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { services } = parse(read('compose.yaml')) as { services: Record<string, Service> };
const mountsOf = (name: string): [source: string, target: string][] =>
  (services[name]?.volumes ?? []).flatMap((mount) => {
    if (typeof mount !== 'string') return [];
    const [source = '', target = ''] = mount.split(':');
    return source.startsWith('./') ? [[source, target] as [string, string]] : [];
  });

it('tells to name its servers as the platform takes them', () => {
  const exported = [...read('compose.yaml').matchAll(/^#\s+export (\w+)=(\S+)$/gm)];
  const servers = serversOf(Object.fromEntries(exported.map(([, name = '', value = '']) => [name, value])));
  const published = ['redis', 'kafka', 'mysql'].map((name) => services[name]?.ports?.[0]?.split(':')[1]);
  expect([
    new URL(servers.redis.url).port,
    servers.kafka.brokers[0]?.split(':')[1],
    new URL(servers.mysql.url).port,
  ]).toEqual(published);
});

it('mounts files of the project that are there', () => {
  const mounts = [...mountsOf('prometheus'), ...mountsOf('grafana')];
  expect(mounts.length).toBe(5);
  for (const [source] of mounts) expect(existsSync(join(root, source)), source).toBe(true);
});

it('leads Grafana to its Prometheus and to the dashboards', () => {
  const sources = parse(read('dashboards/compose/grafana/data-source.yaml')) as { datasources: { url: string }[] };
  const listens = services['prometheus']?.command?.find((flag) => flag.startsWith('--web.listen-address='));
  expect(sources.datasources.map(({ url }) => url)).toEqual([`http://${listens?.split('=')[1]}`]);

  const providers = parse(read('dashboards/compose/grafana/dashboards.yaml')) as {
    providers: { options: { path: string } }[];
  };
  const path = providers.providers[0]?.options.path;
  expect(mountsOf('grafana').find(([, target]) => target === path)?.[0]).toBe('./helm/seckill/dashboards');
  const home = services['grafana']?.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'];
  expect(home).toBe(`${path}/${DASHBOARDS[0]?.uid}.json`);
});

it('gives Prometheus a configuration that it understands, over rules and targets that are mounted', async () => {
  const { promtool, env } = await findPrometheus(serverOptions(process.env));
  const text = read('dashboards/compose/prometheus.yml');
  const targets = services['prometheus']?.volumes?.find((mount) => typeof mount !== 'string') as { target: string };
  const rules = mountsOf('prometheus').find(([source]) => source === './dashboards/prometheus')?.[1] ?? 'nowhere';
  expect(text).toContain(`[${targets.target}/*.json]`);
  expect(text).toContain(`[${rules}/*.yaml]`);
  mkdirSync(join(dir, 'targets'));
  const file = join(dir, 'prometheus.yml');
  const here = text.replace(rules, join(root, 'dashboards/prometheus')).replace(targets.target, join(dir, 'targets'));
  writeFileSync(file, here);
  writeFileSync(join(dir, 'targets/up.json'), '[{"targets":["127.0.0.1:1"],"labels":{"instance":"order-0"}}]');
  const { code, stdout, stderr } = await runCommand(promtool, ['check', 'config', '--lint=none', file], {
    env: { PATH: '/usr/bin:/bin', ...env },
  });
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain('rules found');
});
