import type { DashboardSpec } from '../../dashboards/grafana/dashboard.ts';
import { DASHBOARDS } from '../../dashboards/grafana/dashboards.ts';

const INTRODUCTION = `# Dashboards

Made from \`dashboards/grafana\`; a test compares ([how to make it anew](../CONTRIBUTING.md#what-is-generated)).

Dashboards are written as code in \`grafana/\`: what a panel asks, how it is laid out, and what all of them share are apart.
What Grafana reads is generated into [\`helm/seckill/dashboards\`](../helm/seckill/dashboards), one JSON file each, where the
chart, \`compose.yaml\` and you take it from.

- **In Kubernetes**: \`monitoring.dashboards.enabled\` of the chart makes a ConfigMap of each, with the label and the folder
  that Grafana's sidecar looks for.
- **On one machine**: \`seckill up\` starts Prometheus. With Docker, \`docker compose --profile monitoring up prometheus
  grafana\` beside it starts another one, and Grafana at http://127.0.0.1:13000 with data source, dashboards and rules.
- **Elsewhere**: import the files. The first variable is the data source.

The variables are the data source, the namespace of the release (on one machine there is none: \`All\`), the event, and
where your people read the runbooks (\`docs/runbooks\`, by its URL): the links of the panels lead there. The marks in the
graphs are changes of the phase. Nobody need load the rules of \`prometheus/\` for the dashboards: they ask for the metrics
of [docs/metrics.md](../docs/metrics.md) and nothing else.

Grafana could not be run where the project is built, and neither could \`compose.yaml\`. Instead every query runs against
a real Prometheus that scrapes a real sale, and against a sale with faults for what is empty while all is well
(\`test/dashboards/live-sale.test.ts\`).
`;

/** dashboards/README.md: one line a panel, with the question that it answers. */
export function renderDashboardsReadme(): string {
  return [INTRODUCTION, ...DASHBOARDS.map(sectionOf)].join('\n');
}

function sectionOf({ title, uid, question, lines }: DashboardSpec): string {
  const rows = lines.flatMap(({ panels }) => panels.map((panel) => `| ${panel.title} | ${panel.question} |`));
  return [`## ${title}`, '', question, '', `\`${uid}\``, '', '| panel | answers |', '| --- | --- |', ...rows, ''].join(
    '\n',
  );
}
