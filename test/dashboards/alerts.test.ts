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
/** It plays each second of each case; a machine may be busy. */
const PROMTOOL_TIMEOUT_MS = 170_000;
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
      timeoutMs: PROMTOOL_TIMEOUT_MS,
    });
    return code === 0 ? 'well' : `${stdout}\n${stderr}`;
  };
});

/** A file of tests as promtool reads it. Records are made first, as they are a moment before in a running Prometheus. */
async function runTests(name: string, tests: readonly object[]): Promise<string> {
  const order = [...recording.groups, ...alerting.groups].map((group) => group.name);
  const file = {
    rule_files: [join(rules, 'recording.yaml'), join(rules, 'alerts.yaml')],
    evaluation_interval: '1s',
    group_eval_order: order,
    tests,
  };
  writeFileSync(join(folder, `${name}.yaml`), stringify(file));
  return promtool('test', 'rules', `${name}.yaml`);
}

const seriesOf = (input: Record<string, string>): object[] =>
  Object.entries(input).map(([series, values]) => ({ series, values }));

const samplesAt = (second: number, expected: readonly (readonly [expr: string, labels: string, value: number])[]) =>
  expected.map(([expr, labels, value]) => ({ expr, eval_time: `${second}s`, exp_samples: [{ labels, value }] }));

function firingTests(): object[] {
  return ALERT_CASES.map(({ alert, when = '', says, labels = {}, input, firesAt }) => {
    const rule = alerts.find((one) => one.alert === alert);
    const firing = {
      exp_labels: { ...rule?.labels, ...labels },
      exp_annotations: { ...rule?.annotations, description: says },
    };
    return {
      name: `${alert} ${when}`,
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
        // Of the edge's answers, 10 a second are those of pods.
        'seckill_edge_requests_total{code="202"}': '0+15x700',
        'seckill_edge_requests_total{code="201"}': '0+990x700',
        'seckill_reservation_answers_total{event="shop/phone",answer="held"}': '0+990x700',
        'seckill_reservation_answers_total{event="shop/mug",answer="held"}': '0+3x700',
        'seckill_reservation_answers_total{event="shop/mug",answer="SECKILL_ERR_NOT_READY"}': '0+1x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="0.05"}': '0+99x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="0.1"}': '0+100x700',
        'seckill_request_duration_seconds_bucket{route="reserve",le="+Inf"}': '0+100x700',
      }),
      promql_expr_test: samplesAt(600, [
        ['seckill:answers:rate10s{answer="held"}', 'seckill:answers:rate10s{answer="held"}', 990],
        ['round(seckill:lost_answers:rate1m, 0.0001)', '{}', 5],
        ['round(1005 * seckill:bad_answers:ratio5m, 0.0001)', '{}', 15],
        ['round(seckill:event_bad_answers:increase5m)', '{event="shop/mug"}', 300],
        ['round(seckill:event_bad_answers:ratio5m, 0.0001)', '{event="shop/mug"}', 0.25],
        ['seckill:answer_seconds:p99_30s', 'seckill:answer_seconds:p99_30s', 0.05],
      ]),
    };
    // The pods have been dead for two minutes; the edge alone answers.
    const dead = {
      interval: '1s',
      input_series: seriesOf({
        [`${asked}"held",code="201"}`]: '0+990x60 stale',
        [`${asked}"unknown",code="202"}`]: '0+0x60 stale',
        'seckill_edge_requests_total{code="202"}': '0+0x60 5+5x200',
      }),
      promql_expr_test: samplesAt(180, [['seckill:bad_answers:ratio1m', 'seckill:bad_answers:ratio1m', 1]]),
    };
    expect(await runTests('records', [test, dead])).toBe('well');
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
    const alert = alerts.find((one) => one.alert === 'SeckillWatchdog');
    const barks = { exp_labels: { severity: 'none' }, exp_annotations: alert?.annotations };
    const dog = { eval_time: '1s', alertname: 'SeckillWatchdog', exp_alerts: [barks] };
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

/** What a selector may name besides the labels of the metric itself: what every process of ours adds, and a bucket's bound. */
const ANYWHERE = ['role', 'instance', 'namespace', 'le'];
/** Of Prometheus itself: it knows of a target what the target does not say, and our targets have no role. */
const OF_TARGETS = ['job', 'instance', 'namespace'];

describe('the runbooks', () => {
  const pages = readdirSync(runbooks).filter((name) => name !== 'README.md');
  const textOf = (page: string): string => readFileSync(join(runbooks, page), 'utf8');
  const queriesOf = (page: string): string[] =>
    [...textOf(page).matchAll(/```promql\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'));

  it('have a page for every alert, and no page for none', () => {
    const named = alerts.map(({ annotations }) => annotations?.['runbook_url']?.replace('docs/runbooks/', ''));
    expect(new Set(pages)).toEqual(new Set(named));
  });

  it('say what it means, what it harms, where to look first, how to mend, to verify and to prevent it', () => {
    const sections = ['Meaning', 'Impact', 'First look', 'Fix', 'Verify', 'Prevent'];
    for (const page of pages) {
      const text = textOf(page);
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

  it('ask Prometheus in its own language', async () => {
    const asked = pages.flatMap(queriesOf).map((expr, index) => ({ record: `asked:${index}`, expr }));
    expect(asked.length).toBeGreaterThan(pages.length);
    writeFileSync(join(folder, 'queries.yaml'), stringify({ groups: [{ name: 'queries', rules: asked }] }));
    expect(await promtool('check', 'rules', '--lint=none', 'queries.yaml')).toBe('well');
  });

  it('ask only for labels that are there', () => {
    const specs: MetricSpec[] = Object.values(METRICS);
    for (const page of pages) {
      for (const [, name = '', selector = ''] of textOf(page).matchAll(
        /\b(up|seckill_\w+|process_\w+|nodejs_\w+){(.*?)}/g,
      )) {
        const spec = specs.find((one) => one.name === name.replace(/_bucket$/, ''));
        const known = name === 'up' ? OF_TARGETS : [...ANYWHERE, ...(spec?.labels ?? [])];
        for (const [, label] of selector.matchAll(/(\w+)\s*[=!]/g)) expect(known, `${page}: ${name}`).toContain(label);
      }
    }
  });

  it('say in which namespace the pods are', () => {
    for (const page of pages) {
      for (const line of textOf(page).match(/^kubectl .* -l .*$/gm) ?? []) {
        expect(line, page).toMatch(/ (-n RELEASE|-A) /);
      }
    }
  });
});
