/** A figure of the table: how the platform does, as a ratio to its baseline, over several rounds of one run. */
export interface Figure {
  name: string;
  ratio: Spread;
  atLeast: number;
  reached: boolean;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** A line of measurements beside the ratios, for people. */
export interface Detail {
  what: string;
  value: string;
}

/** What a part of the benchmark brings. */
export interface Part {
  figures: Figure[];
  details: Detail[];
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The ratio of each round's own value to the same round's baseline. `holds` is a further condition, besides the ratio. */
export function figureOf(
  name: string,
  atLeast: number,
  rounds: readonly { own: number; baseline: number }[],
  holds = true,
): Figure {
  const { median, min, max } = spreadOf(rounds.map(({ own, baseline }) => own / baseline));
  return {
    name,
    ratio: { median: round(median), min: round(min), max: round(max) },
    atLeast,
    reached: holds && median >= atLeast,
  };
}

/** `median unit (min – max)` */
export function spoken(values: readonly number[], unit: string, digits = 0): string {
  const { median, min, max } = spreadOf(values);
  const show = (value: number): string =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${show(median)} ${unit} (${show(min)} – ${show(max)})`;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
