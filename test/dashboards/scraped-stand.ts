import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { stateFolder } from '../../operator/platform/host/state-folder.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { type OwnPrometheus, startPrometheus } from '../../tools/servers/prometheus.ts';
import type { Stand } from '../sale/harness/stand.ts';

/** A Prometheus of the test's own that scrapes every process of the stand each second, as they come and go. */
export interface Scraping {
  /** How many series the query finds in the time, each with a number in it; times in Unix seconds. */
  series(expr: string, from: number, to: number): Promise<number>;
  /** What the query answers now. */
  ask(expr: string): Promise<{ metric: Record<string, string>; value: string }[]>;
}

interface Answer<T> {
  status: string;
  error?: string;
  data?: { result: T[] };
}

/** Call it at the top level of a test file, after stand(). */
export function scraped(stand: Stand): Scraping {
  let prometheus: OwnPrometheus | undefined;

  beforeAll(async () => {
    // The files that the platform keeps for its own Prometheus, which comes every other second only.
    const targetFiles = [join(stateFolder(stand.stateDir).targets, '*.json')];
    prometheus = await startPrometheus(serverOptions(process.env), { targetFiles, scrapeIntervalSeconds: 1 });
  });
  afterAll(async () => {
    await prometheus?.close();
  });

  async function get<T>(path: string, parameters: Record<string, string>): Promise<T[]> {
    if (prometheus === undefined) throw new Error('scraped() starts in beforeAll: ask inside of a test');
    const answer = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = (await answer.json()) as Answer<T>;
    if (status !== 'success' || data === undefined) throw new Error(`${parameters['query']}: ${error}`);
    return data.result;
  }

  return {
    async series(expr, from, to) {
      const range = { start: String(from), end: String(to), step: '1' };
      const found = await get<{ values: [number, string][] }>('query_range', { query: expr, ...range });
      return found.filter(({ values }) => values.some(([, value]) => Number.isFinite(Number(value)))).length;
    },
    async ask(expr) {
      const found = await get<{ metric: Record<string, string>; value: [number, string] }>('query', { query: expr });
      return found.map(({ metric, value: [, value] }) => ({ metric, value }));
    },
  };
}
