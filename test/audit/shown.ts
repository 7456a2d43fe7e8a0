import type { Release } from '../../cli/up/release.ts';

/** What operators show of a sale to whoever scrapes them. */
export interface Shown {
  /** By number; empty while nobody has audited it. */
  accuracy: Record<string, number>;
  /** When the last complete audit ended, in Unix seconds; 0: never. */
  completedSeconds: number;
}

const ANSWER_MAX_MS = 1_000;

/** Reads it from each operator that answers; only the leader shows anything. */
export async function shownBy(release: Release, key: string): Promise<Shown> {
  const shown: Shown = { accuracy: {}, completedSeconds: 0 };
  for (const { role, url } of release.endpoints().processes) {
    if (role !== 'operator') continue;
    const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(ANSWER_MAX_MS) })
      .then((answer) => answer.text())
      .catch(() => '');
    for (const line of text.split('\n').filter((one) => one.includes(`event="${key}"`))) {
      const value = Number(line.split(' ').at(-1));
      if (line.startsWith('seckill_accuracy{')) shown.accuracy[/number="(\w+)"/.exec(line)?.[1] ?? ''] = value;
      if (line.startsWith('seckill_audit_completed')) shown.completedSeconds = value;
    }
  }
  return shown;
}
