import { isDeepStrictEqual } from 'node:util';
import { commit } from '../../bench/document.ts';
import { ACCURATE, type Accuracy } from '../../services/domain/accounting.ts';

/** What was seen of one corruption; times in milliseconds since the last change by hand. */
export interface Measured {
  what: string;
  wrong: Partial<Accuracy>;
  /** Whenever the leader's numbers became others than before. */
  seen: { afterMs: number; accuracy: Record<string, number> }[];
  /** Alerts of the sale, when they were first seen to fire. */
  alerts: { name: string; afterMs: number }[];
}

/** drift → SeckillDrift */
export const alertOf = (number: string): string => `Seckill${number.charAt(0).toUpperCase()}${number.slice(1)}`;

export function wrongCell(wrong: Partial<Accuracy>): string {
  const words = Object.entries(wrong).map(([number, amount]) => `\`${number}\` ${amount}`);
  return words.length === 0 ? 'nothing, and rightly so' : words.join(', ');
}

/** docs/corruptions.md: what was seen, of which commit. Generated, never typed. */
export function renderCorruptions(measured: readonly Measured[]): string {
  return `# What the audit says of books that were corrupted

Written by \`npm run campaign:corruptions\` on ${new Date().toISOString().slice(0, 10)}, commit ${commit()}. In each row a sale of its own is
corrupted by hand, behind the platform's back, while it runs: real Redis, Kafka and MariaDB, an operator that leads, and
the Prometheus of \`seckill up\` with the rules of dashboards/prometheus. Times count from the last change by hand: until the
leader's metrics showed exactly these numbers, and until Prometheus said that the alert fires. The leader looks every two
seconds, Prometheus reads it every two seconds and looks at the rules every five, and a rule waits five seconds.

| corrupted | number | it stood after | alert, firing after | mended by itself |
| --- | --- | --- | --- | --- |
${measured.map(rowOf).join('\n')}

Each alert has [a page of what to do](runbooks/README.md). Counters that contradict each other are rebuilt from the ledger at
once ([recovery.md](recovery.md)): what is right again before the rule of its number has waited is told by SeckillStockRebuilt
alone, and stays in the graphs.
[A decision](adr/0008-continuous-audit.md) says what is found when, and what only the full audit finds.
`;
}

function rowOf({ what, wrong, seen, alerts }: Measured): string {
  const expected = { ...ACCURATE, ...wrong };
  const stood = seen.findIndex(({ accuracy }) => isDeepStrictEqual(accuracy, expected));
  const others = alerts.map(({ name, afterMs }) => `${name} ${seconds(afterMs)}`);
  const cells = [
    what,
    wrongCell(wrong),
    seen[stood] === undefined ? '' : seconds(seen[stood].afterMs),
    others.join(', ') || 'none',
    mended(seen.slice(stood + 1)),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Whatever the numbers became later, until the alert fired. */
function mended(later: Measured['seen']): string {
  return later
    .map(({ afterMs, accuracy }) => {
      const words = Object.entries(accuracy).flatMap(([number, amount]) => (amount === 0 ? [] : `${number} ${amount}`));
      return `${words.join(', ') || 'zero again'} after ${seconds(afterMs)}`;
    })
    .join(', ');
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
