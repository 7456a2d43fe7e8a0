import { describe, expect, test } from 'vitest';
import { WATCHDOG_NO_PROGRESS_MS, WATCHDOG_SILENCE_MS } from '../../services/kit/kafka/limits.ts';
import { judge, type Pulse } from '../../services/kit/kafka/watchdog.ts';

const NOW = 1_000_000;
const well: Pulse = { ended: undefined, fetchedAtMs: NOW, progressAtMs: NOW, handling: 0 };
const silent = NOW - WATCHDOG_SILENCE_MS - 1;
const idle = NOW - WATCHDOG_NO_PROGRESS_MS - 1;

describe('what the watchdog makes of a pulse', () => {
  const table: [string, Partial<Pulse>, bigint | undefined, string][] = [
    ['it works', {}, undefined, 'nothing'],
    ['it crashed', { ended: 'it crashed' }, undefined, 'restart'],
    ['it crashed while a handler is at work', { ended: 'it crashed', handling: 1 }, undefined, 'restart'],
    ['it has not fetched for long', { fetchedAtMs: silent, progressAtMs: silent }, undefined, 'restart'],
    ['it has not fetched, but a handler is at work', { fetchedAtMs: 0, progressAtMs: 0, handling: 1 }, 9n, 'nothing'],
    ['it has just joined', { fetchedAtMs: silent }, undefined, 'nothing'],
    ['it fetches and got nothing for long', { progressAtMs: idle }, undefined, 'look-at-lag'],
    ['it fetches, and there is no lag', { progressAtMs: idle }, 0n, 'look-at-lag'],
    ['it fetches, but does not get on', { progressAtMs: idle }, 3n, 'restart'],
    ['it was behind, and has got on', {}, 3n, 'nothing'],
  ];
  test.each(table)('%s', (_, pulse, stuckLag, verdict) => {
    expect(judge({ ...well, ...pulse }, NOW, stuckLag).do).toBe(verdict);
  });
});
