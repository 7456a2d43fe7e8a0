import { METRICS, type MetricSpec } from '../../services/kit/metrics/catalogue.ts';

/**
 * Selectors of series, for queries. Every one asks for the release that was chosen; on one machine, where targets have no
 * namespace, `.*` fits what is absent. What has the label `event` is asked for the event that was chosen.
 */
const RELEASE = 'namespace=~"$namespace"';
const EVENT = 'event="$event"';

type Name = keyof typeof METRICS;
type HistogramName = { [K in Name]: (typeof METRICS)[K]['type'] extends 'histogram' ? K : never }[Name];

/** A metric of ours, of the event that was chosen if it has one. `matchers` as in `code=~"5.."`. */
export function series(name: Name, matchers = ''): string {
  const spec: MetricSpec = METRICS[name];
  return select(spec.name, spec.labels.includes('event') ? [EVENT, matchers] : [matchers]);
}

/** The same of all events. */
export function ofAllEvents(name: Name, matchers = ''): string {
  return select(METRICS[name].name, [matchers]);
}

/** A metric that every process has of Node, with its role. */
export function ofProcesses(name: string, matchers = ''): string {
  return select(name, [matchers]);
}

function select(name: string, matchers: readonly string[]): string {
  return `${name}{${[RELEASE, ...matchers].filter((matcher) => matcher !== '').join(',')}}`;
}

export function rate(selector: string): string {
  return `rate(${selector}[$__rate_interval])`;
}

/** Events a second, summed by labels. */
export function rateBy(labels: string, selector: string): string {
  return labels === '' ? `sum(${rate(selector)})` : `sum by (${labels}) (${rate(selector)})`;
}

export function quantile(q: number, name: HistogramName, matchers = ''): string {
  const { name: metric } = METRICS[name];
  return `histogram_quantile(${q}, sum by (le) (${rate(select(`${metric}_bucket`, [matchers]))}))`;
}

/** The mean of what a histogram observed. */
export function mean(name: HistogramName, matchers = ''): string {
  const { name: metric } = METRICS[name];
  const part = (suffix: string) => rateBy('', select(`${metric}${suffix}`, [matchers]));
  return `${part('_sum')} / (${part('_count')} > 0)`;
}
