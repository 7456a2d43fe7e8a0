import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { METRICS, type MetricSpec } from '../../services/kit/metrics/catalogue.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { findPrometheus } from '../../tools/servers/prometheus.ts';
import { tempDir } from '../support/temp-dir.ts';
import { ALERT_CASES, CALM_CASES } from './alert-cases.ts';

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
interface RuleFile {
  groups: { name: string; rules: Rule[] }[];
}

const root = join(import.meta.dirname, '../..');
const rules = join(root, 'dashboards/prometheus');
const runbooks = join(root, 'docs/runbooks');
const folder = tempDir();
const read = (name: string): RuleFile => parse(readFileSync(join(rules, name), 'utf8')) as RuleFile;
const [recording, alerting] = [read('recording.yaml'), read('alerts.yaml')];
const alerts = alerting.groups.flatMap((group) => group.rules);
const records = recording.groups.flatMap((group) => group.rules);

let promtool: (...args: string[]) => Promise<string>;
beforeAll(async () => {
  const { promtool: path, env } = await findPrometheus(serverOptions(process.env));
  promtool = async (...args) => {
    const { code, stdout, stderr } = await runCommand(path, args, {
      env: { PATH: '/usr/bin:/bin', ...env },
      cwd: folder,
    });
    return code === 0 ? 'well' : `${stdout}\n${stderr}`;
  };
});

/** The alerts without their texts: promtool would compare those as well, and they have values in them. */
function plainRules(): string {
  const groups = alerting.groups.map(({ name, rules: some }) => ({
    name,
    rules: some.map(({ annotations: _texts, ...rule }) => rule),
  }));
  writeFileSync(join(folder, 'alerts.yaml'), stringify({ groups }));
  writeFileSync(join(folder, 'recording.yaml'), stringify(recording));
  return 'alerts.yaml';
}

/** A file of tests as promtool reads it. Records are made first, as they are a moment before in a running Prometheus. */
async function runTests(name: string, tests: readonly object[]): Promise<string> {
  const order = [...recording.groups, ...alerting.groups].map((group) => group.name);
  const file = {
    rule_files: ['recording.yaml', plainRules()],
    evaluation_interval: '1s',
    group_eval_order: order,
    tests,
  };
  writeFileSync(join(folder, `${name}.yaml`), stringify(file));
  return promtool('test', 'rules', `${name}.yaml`);
}

const seriesOf = (input: Record<string, string>): object[] =>
  Object.entries(input).map(([series, values]) => ({ series, values }));

function firingTests(): object[] {
  return ALERT_CASES.map(({ alert, labels = {}, input, firesAt }) => {
    const rule = alerts.find((one) => one.alert === alert);
    const firing = { exp_labels: { ...rule?.labels, ...labels } };
    return {
      name: alert,
      interval: '1s',
      input_series: seriesOf(input),
      alert_rule_test: [
        { eval_time: `${firesAt - 1}s`, alertname: alert, exp_alerts: [] },
        { eval_time: `${firesAt}s`, alertname: alert, exp_alerts: [firing] },
      ],
    };
  });
}

describe('the rules of Prometheus', () => {
  it('are right by promtool', async () => {
    expect(await promtool('check', 'rules', join(rules, 'recording.yaml'), join(rules, 'alerts.yaml'))).toBe('well');
  });

  it('are in the chart as they are here', async () => {
    for (const name of ['recording.yaml', 'alerts.yaml']) {
      const text = readFileSync(join(rules, name), 'utf8');
      await expect(text).toMatchFileSnapshot(join(root, 'helm/seckill/rules', name));
    }
  });

  it('name only metrics of the catalogue and records of their own', () => {
    const specs: MetricSpec[] = Object.values(METRICS);
    const known = specs.flatMap(({ name, type }) => (type === 'histogram' ? [`${name}_bucket`, name] : [name]));
    const recorded = records.map(({ record }) => record);
    for (const { expr } of [...alerts, ...records]) {
      for (const [name] of expr.matchAll(/\bseckill[:_][\w:]+/g)) expect([...known, ...recorded]).toContain(name);
    }
  });

  it('make the records that their names say', async () => {
    const asked = 'seckill_requests_total{route="reserve",answer=';
    const test = {
      interval: '1s',
      input_series: seriesOf({
        [`${asked}"held",code="201"}`]: '0+990x700',
        [`${asked}"unknown",code="202"}`]: '0+10x700',
        [`${asked}"SECKILL_ERR_PAUSED",code="503"}`]: '0+0x700',
        [`${asked}"SECKILL_ERR_TOKEN_FORGED",code="401"}`]: '0+500x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="0.05"}': '0+99x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="0.1"}': '0+100x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="+Inf"}': '0+100x700',
      }),
      promql_expr_test: [
        { expr: 'seckill:answers:rate10s{answer="held"}', value: 990 },
        { expr: 'round(seckill:bad_answers:ratio5m, 0.0001)', value: 0.01 },
        { expr: 'seckill:answer_seconds:p99_30s', value: 0.05 },
      ].map(({ expr, value }) => ({
        ...{ expr, eval_time: '600s' },
        exp_samples: [{ labels: /[{(]/.test(expr) ? expr.replace(/^round.*/, '{}') : `{__name__="${expr}"}`, value }],
      })),
    };
    expect(await runTests('records', [test])).toBe('well');
  });
});

describe('the alerts', () => {
  it('are silent just before their time and fire at it, each of them', async () => {
    expect(new Set(ALERT_CASES.map(({ alert }) => alert))).toEqual(
      new Set(alerts.map(({ alert }) => alert).filter((alert) => alert !== 'SeckillWatchdog')),
    );
    expect(await runTests('firing', firingTests())).toBe('well');
  });

  it('let people sleep when something only looks like a fault', async () => {
    const tests = CALM_CASES.map(({ alert, input }) => ({
      interval: '1s',
      input_series: seriesOf(input),
      alert_rule_test: [60, 95, 130, 200].map((at) => ({ eval_time: `${at}s`, alertname: alert, exp_alerts: [] })),
    }));
    expect(await runTests('calm', tests)).toBe('well');
  });

  it('have a dog that always barks', async () => {
    const dog = { eval_time: '1s', alertname: 'SeckillWatchdog', exp_alerts: [{ exp_labels: { severity: 'none' } }] };
    expect(await runTests('watchdog', [{ interval: '1s', input_series: [], alert_rule_test: [dog] }])).toBe('well');
  });

  it('say how bad it is, what it is without values, how it is with them, and where to read on', () => {
    for (const { alert = '', for: after, labels, annotations } of alerts) {
      expect(after, alert).toMatch(/^\d+[sm]$/);
      expect(labels?.['severity'], alert).toMatch(/^(critical|warning|none)$/);
      expect(annotations?.['summary'], alert).toMatch(/^[^{}\d]+\.$/);
      if (alert !== 'SeckillWatchdog') expect(annotations?.['description'], alert).toContain('{{ $');
      expect(annotations?.['runbook_url'], alert).toMatch(/^docs\/runbooks\/\w+\.md$/);
    }
  });
});

describe('the runbooks', () => {
  const pages = readdirSync(runbooks).filter((name) => name !== 'README.md');

  it('have a page for every alert, and no page for none', () => {
    const named = alerts.map(({ annotations }) => annotations?.['runbook_url']?.replace('docs/runbooks/', ''));
    expect(new Set(pages)).toEqual(new Set(named));
  });

  it('say what it means, what it harms, where to look first, how to mend, to verify and to prevent it', () => {
    const sections = ['Meaning', 'Impact', 'First look', 'Fix', 'Verify', 'Prevent'];
    for (const page of pages) {
      const text = readFileSync(join(runbooks, page), 'utf8');
      expect(text.split('\n')[0], page).toBe(`# ${page.replace('.md', '')}`);
      expect(
        [...text.matchAll(/^## (.+)$/gm)].map((found) => found[1]),
        page,
      ).toEqual(sections);
      for (const [name] of text.matchAll(/\bseckill_[a-z_]+\b/g)) {
        expect(readFileSync(join(root, 'docs/metrics.md'), 'utf8'), page).toContain(name.replace(/_bucket$/, ''));
      }
    }
  });
});
