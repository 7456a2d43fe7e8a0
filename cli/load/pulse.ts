import { PULSE_BEATS_MAX, PULSE_STEPS_MS } from './limits.ts';
import { OUTCOMES, type Outcome } from './outcome.ts';
import type { Heard } from './player.ts';

/** What was heard in one stretch of time. */
export interface Beat {
  answers: Record<Outcome, number>;
  /** From the intended start to the answer, of the answers of this stretch; null when there was none. */
  latencyMs: { p50: number; p99: number } | null;
}

/** The answers over time, in stretches of `stepMs` from the start of the play on. */
export interface Pulse {
  stepMs: number;
  beats: Beat[];
}

/** As fine as a chart can show it: at most PULSE_BEATS_MAX stretches, of a length that people can say. */
export function pulseOf(all: readonly Heard[], elapsedMs: number): Pulse {
  const stepMs = PULSE_STEPS_MS.find((step) => elapsedMs / step <= PULSE_BEATS_MAX) ?? Math.max(1, elapsedMs);
  const count = Math.max(1, Math.ceil(elapsedMs / stepMs));
  const latencies: number[][] = Array.from({ length: count }, () => []);
  const answers = Array.from({ length: count }, () => noAnswers());
  for (const heard of all) {
    for (let index = 0; index < heard.count; index += 1) {
      const beat = Math.min(count - 1, Math.floor((heard.atMs[index] as number) / stepMs));
      const outcome = OUTCOMES[heard.outcome[index] as number] as Outcome;
      (answers[beat] as Record<Outcome, number>)[outcome] += 1;
      latencies[beat]?.push(heard.latencyMs[index] as number);
    }
  }
  return { stepMs, beats: answers.map((of, beat) => ({ answers: of, latencyMs: quantiles(latencies[beat] ?? []) })) };
}

function noAnswers(): Record<Outcome, number> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
}

function quantiles(latencies: number[]): Beat['latencyMs'] {
  if (latencies.length === 0) return null;
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] as number;
  return { p50: at(0.5), p99: at(0.99) };
}
