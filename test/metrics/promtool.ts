import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { METRICS, type MetricSpec } from '../../services/kit/metrics/catalogue.ts';
import { runCommand } from '../../tools/servers/command.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { findPrometheus } from '../../tools/servers/prometheus.ts';

/** What `promtool check metrics` says of a text; empty when it is clean. */
export async function checkMetrics(text: string): Promise<string> {
  const { promtool, env } = await findPrometheus(serverOptions(process.env));
  const folder = mkdtempSync(join(tmpdir(), 'seckill-metrics-'));
  try {
    const file = join(folder, 'metrics.txt');
    writeFileSync(file, text);
    const script = `exec "$0" check metrics < "$1"`;
    const done = await runCommand('/bin/sh', ['-c', script, promtool, file], {
      env: { PATH: '/usr/bin:/bin', ...env },
    });
    return done.code === 0 ? '' : `${done.stdout}${done.stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The series of a text: names with their labels. */
export function seriesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line.replace(/ \S+$/, '')]));
}

const specs: MetricSpec[] = Object.values(METRICS);
const NAMES: ReadonlySet<string> = new Set(specs.map(({ name }) => name));

/** Names of ours in a text that the catalogue does not have. */
export function unknownNames(text: string): string[] {
  const names = [...text.matchAll(/^# TYPE (seckill_\S+)/gm)].map((found) => found[1] ?? '');
  return names.filter((name) => !NAMES.has(name));
}
