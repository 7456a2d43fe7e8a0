import { setTimeout as pause } from 'node:timers/promises';
import { ACCURATE, type Accuracy } from '../../services/domain/accounting.ts';
import { PROMETHEUS_ANSWER_MAX_MS, PROMETHEUS_NUMBERS_MAX_MS, PROMETHEUS_POLL_MS } from './limits.ts';

/**
 * The six numbers as Prometheus has them, read after `sinceMs` (Unix milliseconds): whoever watches the sale there must
 * see what the audit says. Waits a few scrapes for them; null when they do not come.
 */
export async function numbersInPrometheus(url: string, eventKey: string, sinceMs: number): Promise<Accuracy | null> {
  const deadlineMs = Date.now() + PROMETHEUS_NUMBERS_MAX_MS;
  const series = `seckill_accuracy{event="${eventKey}"}`;
  const names = Object.keys(ACCURATE);
  for (;;) {
    const found = await ask(url, `max by (number) (${series} and timestamp(${series}) > ${sinceMs / 1_000})`);
    if (found !== undefined && names.every((name) => found.has(name))) {
      return Object.fromEntries(names.map((name) => [name, found.get(name)])) as unknown as Accuracy;
    }
    if (Date.now() > deadlineMs) return null;
    await pause(PROMETHEUS_POLL_MS);
  }
}

interface Answer {
  data?: { result?: { metric: Record<string, string>; value: [number, string] }[] };
}

/** By the label `number`; `undefined` while Prometheus does not answer. */
async function ask(url: string, expression: string): Promise<Map<string, number> | undefined> {
  try {
    const signal = AbortSignal.timeout(PROMETHEUS_ANSWER_MAX_MS);
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`, { signal });
    const { data } = (await response.json()) as Answer;
    return new Map((data?.result ?? []).map(({ metric, value }) => [metric['number'] ?? '', Number(value[1])]));
  } catch {
    return undefined;
  }
}
