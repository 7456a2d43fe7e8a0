import { describe, expect, it } from 'vitest';
import { find, manifestsOf, useHelm, VALUE_SETS } from './helm.ts';

const helm = useHelm(4);
const LEAST = VALUE_SETS['the least'];

interface PodMonitor {
  selector: { matchLabels: Record<string, string>; matchExpressions: { values: string[] }[] };
  podMetricsEndpoints: { port: string; interval: string }[];
}

async function render(monitoring: object) {
  return manifestsOf(await helm.template('seckill', { ...LEAST, monitoring }));
}

describe('monitoring', () => {
  it('is by annotations where there is no Prometheus Operator', async () => {
    const manifests = await render({});
    expect(manifests.filter(({ apiVersion }) => apiVersion.startsWith('monitoring.coreos.com'))).toEqual([]);
    const ports = ['operator', 'relay', 'order', 'edge'].map((component) => {
      const { template } = find(manifests, 'Deployment', `sale-seckill-${component}`)['spec'] as {
        template: { metadata: { annotations: Record<string, string> } };
      };
      return template.metadata.annotations['prometheus.io/port'];
    });
    expect(ports).toEqual(['8080', '8080', '8080', '8081']);
  });

  it('finds by its PodMonitors the port of every process, and leaves the annotations out', async () => {
    const manifests = await render({
      podMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '5s' },
    });
    expect(JSON.stringify(manifests)).not.toContain('prometheus.io/scrape');
    const monitors = manifests.filter(({ kind }) => kind === 'PodMonitor');
    const watched = monitors.flatMap(({ spec }) => {
      const { selector, podMetricsEndpoints } = spec as PodMonitor;
      const components = selector.matchExpressions.flatMap(({ values }) => values);
      return components.map((component) => `${component} ${podMetricsEndpoints[0]?.port}`);
    });
    expect(watched.sort()).toEqual(['edge admin', 'operator http', 'order http', 'pool http', 'relay http']);
    expect(monitors.map(({ metadata }) => metadata.labels?.['release'])).toEqual(['prometheus', 'prometheus']);
  });

  it('brings rules and dashboards that link to your runbooks, and open with your data source', async () => {
    const runbooksUrl = 'https://wiki.example/runbooks';
    const dashboards = { enabled: true, labels: { team: 'sales' }, folder: 'Sales', dataSource: 'long-term' };
    const manifests = await render({ runbooksUrl, rules: { enabled: true, labels: { release: 'p' } }, dashboards });

    const rules = manifests.filter(({ kind }) => kind === 'PrometheusRule');
    // The Prometheus Operator's own default is half a minute, which is half of the time to the opening.
    const groups = rules.flatMap(({ spec }) => (spec as { groups: { interval?: string }[] }).groups);
    expect(new Set(groups.map(({ interval }) => interval))).toEqual(new Set(['5s']));
    expect(rules.map(({ metadata }) => metadata.labels?.['release'])).toEqual(['p', 'p']);
    const links = JSON.stringify(rules).match(/"runbook_url":"[^"]*"/g) ?? [];
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((link) => !link.startsWith(`"runbook_url":"${runbooksUrl}/`))).toEqual([]);

    const boards = manifests.filter(({ metadata }) => metadata.name.includes('-dashboard-'));
    expect(boards).toHaveLength(5);
    for (const { metadata, data } of boards) {
      expect(metadata.labels).toMatchObject({ team: 'sales', grafana_dashboard: '1' });
      expect(metadata.annotations).toEqual({ grafana_folder: 'Sales' });
      const [json = '{}'] = Object.values(data as Record<string, string>);
      const { list } = (JSON.parse(json) as { templating: { list: { name: string }[] } }).templating;
      expect(list.find(({ name }) => name === 'datasource')).toMatchObject({ current: { value: 'long-term' } });
      expect(list.find(({ name }) => name === 'runbooks')).toMatchObject({ query: runbooksUrl });
    }
  });
});
