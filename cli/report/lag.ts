import type { Sample } from './report.ts';

/**
 * How far what `arrived` counts is behind what buyers hold: the age of the oldest unit that was taken and has not
 * arrived. Units are taken for the same as they went in: the first that was held is the first that arrives.
 */
export function lagOf(
  samples: readonly Sample[],
  arrived: (sample: Sample) => number,
): { atMs: number; lagMs: number }[] {
  let next = 0;
  return samples.map((sample) => {
    const there = arrived(sample);
    while (next < samples.length && taken(samples[next] as Sample) <= there) next += 1;
    const waiting = samples[next];
    const lagMs = taken(sample) <= there || waiting === undefined ? 0 : Math.max(0, sample.atMs - waiting.atMs);
    return { atMs: sample.atMs, lagMs };
  });
}

const taken = ({ held, committed }: Sample): number => held + committed;
