import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Detail, Figure } from './figure.ts';
import { CORES } from './pinned.ts';

export interface Circumstances {
  /** Versions of the servers, by name. */
  versions: Record<string, string>;
  date: Date;
}

/** docs/benchmarks.md: what was measured, on what, of which commit. Generated, never typed. */
export function renderDocument(figures: readonly Figure[], details: readonly Detail[], o: Circumstances): string {
  const versions = Object.entries({ Node: process.versions.node, ...o.versions });
  return `# Benchmarks

Written by \`npm run bench\` on ${o.date.toISOString().slice(0, 10)}, commit ${commit()}. Each ratio is to a baseline that was measured in turn with it in
the same run, over several rounds; a round's ratio is of that round's two values. CPU times are the kernel's.

| figure | ratio: median (lowest – highest) | at least | reached |
| --- | --- | --- | --- |
${figures.map(figureRow).join('\n')}

The purchase route is measured in a closed loop: the seckill process alone on one core, Redis and whoever asks on the
other. Its ratios are of requests a second of that process's CPU time. The baseline is the same process with the stock
stubbed: it wins without asking Redis. *order* runs from Kafka to the ledger's commit and back to Redis; *relay* from the
journal to Kafka's acknowledgement and back. *Open model*: buyers come by the clock, however slow the answers are.

| measured | median (lowest – highest) |
| --- | --- |
${details.map(({ what, value }) => `| ${what} | ${value} |`).join('\n')}

Machine: ${cpus()[0]?.model ?? 'unknown processor'}, ${CORES.length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}.
Versions: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}.
`;
}

function figureRow({ name, ratio, atLeast, reached }: Figure): string {
  const spread = `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`;
  return `| ${name} | ${spread} | ${atLeast.toFixed(2)} | ${reached ? 'yes' : '**no**'} |`;
}

/** Of the working copy, for documents of what was measured. */
export function commit(): string {
  try {
    const git = (args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
    const changed = git(['status', '--porcelain', '--untracked-files=no']) === '' ? '' : ' with changes on top';
    return `\`${git(['rev-parse', '--short=10', 'HEAD'])}\`${changed}`;
  } catch {
    return 'unknown';
  }
}
