import { METRICS, type MetricSpec } from '../../services/kit/metrics/catalogue.ts';

const BY: Record<MetricSpec['by'], string> = {
  every: 'every process that does such work',
  seckill: 'pods of a sale',
  relay: 'relays',
  order: 'order consumers',
  operator: 'operators',
  leader: 'the operator that leads',
  edge: 'the edge',
};

const INTRODUCTION = `# Metrics

Made from the catalogue; a test compares ([how to make it anew](../CONTRIBUTING.md#what-is-generated)).

Every process answers \`GET /metrics\` in the text format of Prometheus, with the label \`role\` (\`seckill\`, \`relay\`,
\`order\`, \`operator\`, \`edge\`), and shows at most 300 series. Node's own are called \`process_*\` and \`nodejs_*\`.

- The label \`event\` is \`namespace/name\`. No label ever holds a buyer or a reservation.
- What all could see of an event, one tells: the operator that leads. It has series for some twenty events: at most five
  in full, the others in brief (the phase, what is stalled, the six numbers, and around the opening whether all is ready).
  Sales that open within a quarter of an hour, or opened within the last five minutes, come first; then those that are
  wrong or recover, those that run, those that wait for a person, those to come, and at last those that are over. Where
  many run at once fewer have room; \`seckill_events\` says how many are shown in full, in brief, and not at all.
- Only \`seckill_reservation_answers_total\` names an event where it happens, in the pods.
- Admission tokens are issued by whoever lets buyers in (\`seckill token\` stands in for it): counted is only what the pods
  say of them, in \`seckill_token_verifications_total\`.
- Some relays and consumers see the same journals: take \`max\` of what says so, and \`sum\` of everything else.
- \`seckill_answers_peak_per_second\` is what an average over a scrape interval hides: a sale can be over in two seconds. It
  is the most of any second since the last scrape. A scrape ends a peak only after 5 s: with two scrapers that come at
  least every 5 s each sees every peak; of slower ones one may take a peak from the other. Sum it over processes for an
  upper bound of the whole.
`;

/** docs/metrics.md as the catalogue has it. */
export function renderMetricsReference(): string {
  const specs: MetricSpec[] = Object.values(METRICS);
  const groups = Object.entries(BY).map(([by, words]) => [
    `## Of ${words}`,
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...specs.filter((spec) => spec.by === by).map(rowOf),
    '',
  ]);
  return [INTRODUCTION, ...groups.flat()].join('\n');
}

function rowOf({ name, type, labels, help, buckets }: MetricSpec): string {
  const bounds = buckets === undefined ? '' : ` Bounds: ${buckets.join(', ')}.`;
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help}${bounds} |`;
}
