import { setTimeout as pause } from 'node:timers/promises';
import type { LoadResult } from '../cli/load/result.ts';
import { figureOf, type Part, spoken } from './figure.ts';
import { SCRAPE_INTERVAL_MS, SCRAPE_ROUND_SECONDS, SCRAPE_ROUNDS } from './limits.ts';

/** The open model on the purchase route, in turn with a scrape of its metrics every second and with none. */
export async function benchScrapes(
  metricsUrl: string,
  play: (prefix: string, seconds: number) => Promise<LoadResult>,
): Promise<Part> {
  const rounds: { scraped: number; alone: number }[] = [];
  const bytes: number[] = [];
  for (let round = 0; round < SCRAPE_ROUNDS; round += 1) {
    const alone = p99Of(await play(`alone-${round}`, SCRAPE_ROUND_SECONDS));
    const over = new AbortController();
    const scraping = scrape(metricsUrl, bytes, over.signal);
    const scraped = p99Of(await play(`scraped-${round}`, SCRAPE_ROUND_SECONDS));
    over.abort();
    await scraping;
    rounds.push({ scraped, alone });
  }
  return {
    figures: [
      figureOf(
        'purchase route, p99 without a scrape to p99 with one every second',
        0.95,
        rounds.map(({ scraped, alone }) => ({ own: alone, baseline: scraped })),
      ),
    ],
    details: [
      {
        what: 'open model, p99 without a scrape',
        value: spoken(
          rounds.map(({ alone }) => alone),
          'ms',
          1,
        ),
      },
      {
        what: 'open model, p99 with a scrape every second',
        value: spoken(
          rounds.map(({ scraped }) => scraped),
          'ms',
          1,
        ),
      },
      { what: 'what one scrape reads', value: spoken(bytes, 'bytes') },
    ],
  };
}

const p99Of = ({ latencyMs }: LoadResult): number => latencyMs.held.p99;

async function scrape(url: string, bytes: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    bytes.push((await (await fetch(url)).text()).length);
    await pause(SCRAPE_INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
}
