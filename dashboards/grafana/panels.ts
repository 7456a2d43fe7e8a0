import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  type DataSourceRef,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTextDisplayOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The data source that was chosen. */
export const DATA_SOURCE: DataSourceRef = { type: 'prometheus', uid: '$datasource' };
/**
 * How often the platform's processes are scraped, unless told otherwise: no step is shorter. Each query says so, too:
 * `$__rate_interval` is four times the query's own, or else that of the data source, whatever the panel says.
 */
const SCRAPE_INTERVAL = '2s';

export type Color = 'green' | 'orange' | 'red' | 'blue' | 'text';
/** Colors from a value on; the first one has none and holds below all others. */
export type Thresholds = readonly [Color, ...(readonly [from: number, color: Color])[]];

export const CALM: Thresholds = ['blue'];
/** More than nothing is wrong; where nothing is shown while all is well. */
export const NONE_WANTED: Thresholds = ['green', [1e-9, 'red']];
/** Zero is right, and has to be known: a panel without a value has the color of the base. */
export const ZERO_WANTED: Thresholds = ['red', [0, 'green'], [1e-9, 'red']];
/** Right from zero up to the first of these; what nobody knows is neither right nor wrong. */
export function wellBelow(...steps: readonly (readonly [from: number, color: Color])[]): Thresholds {
  return ['blue', [0, 'green'], ...steps];
}

export interface Query {
  expr: string;
  /** Grafana's template for the name of a series. */
  legend: string;
}

export interface PanelSpec {
  title: string;
  /** The question that the panel answers: it ends with a question mark, and is what the list of panels says. */
  question: string;
  /** How to read the answer. */
  reading: string;
  unit: string;
  thresholds: Thresholds;
  queries: readonly Query[];
  /** Of the 24 columns. */
  width: number;
  decimals?: number;
  max?: number;
  mappings?: readonly ValueMapping[];
  /** What is shown when there is nothing to show, where that is an answer. */
  noValue?: string;
  /** Name of a page of docs/runbooks. */
  runbook?: string;
  /** Series by their names, in a color of their own. */
  colors?: Readonly<Record<string, Color>>;
}

export type PlacedPanel = PanelSpec & { build: (place: { id: number; x: number; y: number; h: number }) => Panel };
type AnyBuilder = StatBuilder | BarGaugeBuilder | TimeSeriesBuilder;

/** Values that are read from across the room: those of now, never the last ones of a source that fell silent. */
export function stat(spec: PanelSpec & { show?: 'values' | 'names'; sized?: number }): PlacedPanel {
  const { show = 'values', queries, sized } = spec;
  const text = queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value;
  const builder = () =>
    new StatBuilder()
      .textMode(show === 'names' ? BigValueTextMode.Name : text)
      .colorMode(BigValueColorMode.BackgroundSolid)
      .graphMode(BigValueGraphMode.None)
      .orientation(VizOrientation.Auto)
      .text(new VizTextDisplayOptionsBuilder().valueSize(sized ?? 48))
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  return placed(spec, builder, 'instant');
}

/** Quantities side by side, as bars of one scale. */
export function bars(spec: PanelSpec): PlacedPanel {
  const builder = () =>
    new BarGaugeBuilder()
      .displayMode(BarGaugeDisplayMode.Basic)
      .orientation(VizOrientation.Horizontal)
      .min(0)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  return placed(spec, builder, 'instant');
}

/** Values over time. Thresholds are drawn as lines where they say more than a color. */
export function graph(spec: PanelSpec & { stacked?: boolean; negative?: boolean }): PlacedPanel {
  const { stacked = false, negative = false } = spec;
  const lines = spec.thresholds.length > 1 ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off;
  const builder = () => {
    const panel = new TimeSeriesBuilder()
      .lineWidth(2)
      .fillOpacity(stacked ? 40 : 10)
      .showPoints(VisibilityMode.Never)
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(lines))
      .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
      .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
      .legend(
        new VizLegendOptionsBuilder()
          .displayMode(LegendDisplayMode.List)
          .placement(LegendPlacement.Bottom)
          .showLegend(true),
      );
    return negative ? panel : panel.min(0);
  };
  return placed(spec, builder, 'range');
}

function placed(spec: PanelSpec, make: () => AnyBuilder, kind: 'instant' | 'range'): PlacedPanel {
  return {
    ...spec,
    build: ({ id, x, y, h }) => {
      const panel = make()
        .id(id)
        .title(spec.title)
        .description(`${spec.question}\n\n${spec.reading}`)
        .datasource(DATA_SOURCE)
        .interval(SCRAPE_INTERVAL)
        .unit(spec.unit)
        .thresholds(thresholdsOf(spec.thresholds))
        .gridPos({ x, y, w: spec.width, h });
      spec.queries.forEach((query, index) => {
        panel.withTarget(queryOf(query, index, kind));
      });
      if (spec.decimals !== undefined) panel.decimals(spec.decimals);
      if (spec.max !== undefined) panel.max(spec.max);
      if (spec.mappings !== undefined) panel.mappings([...spec.mappings]);
      if (spec.noValue !== undefined) panel.noValue(spec.noValue);
      if (spec.runbook !== undefined) panel.links([runbookLink(spec.runbook)]);
      for (const [name, color] of Object.entries(spec.colors ?? {})) {
        panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }]);
      }
      return panel.build();
    },
  };
}

function queryOf({ expr, legend }: Query, index: number, kind: 'instant' | 'range'): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(DATA_SOURCE)
    .expr(expr)
    .interval(SCRAPE_INTERVAL)
    .legendFormat(legend);
  return kind === 'instant' ? query.instant() : query.range();
}

function thresholdsOf([base, ...steps]: Thresholds): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: base }, ...steps.map(([value, color]) => ({ value, color }))]);
}

/** Where the documentation is read is asked of the dashboard's variable: that is for the organisation to say. */
function runbookLink(page: string): Builder<ReturnType<DashboardLinkBuilder['build']>> {
  return new DashboardLinkBuilder(`Runbook: ${page}`)
    .type(DashboardLinkType.Link)
    .url(`$runbooks/${page}.md`)
    .targetBlank(true);
}
