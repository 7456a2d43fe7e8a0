import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATA_SOURCE, type PlacedPanel } from './panels.ts';
import { ofAllEvents, series } from './series.ts';

/** Panels of one height, from left to right; with a title a row begins before them. */
export interface Line {
  title?: string;
  height: number;
  panels: readonly PlacedPanel[];
}

export interface DashboardSpec {
  /** Stable: links and bookmarks name it. The file has the same name. */
  uid: string;
  title: string;
  /** The question that the dashboard answers. */
  question: string;
  from: string;
  lines: readonly Line[];
  /** Values that a person may type, by name. */
  inputs?: Readonly<Record<string, { label: string; description: string; value: string }>>;
}

const COLUMNS = 24;
const TAG = 'seckill';

export function buildDashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.question)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: spec.from, to: 'now' })
    .refresh('5s')
    .variables([...variables(), ...inputs(spec)])
    .annotation(phaseChanges())
    .links(links());
  let id = 0;
  let y = 0;
  for (const { title, height, panels } of spec.lines) {
    if (title !== undefined) {
      id += 1;
      builder.withRow(new RowBuilder(title).id(id).gridPos({ x: 0, y, w: COLUMNS, h: 1 }));
      y += 1;
    }
    let x = 0;
    for (const panel of panels) {
      id += 1;
      const built = panel.build({ id, x, y, h: height });
      builder.withPanel({ build: () => built });
      x += panel.width;
    }
    y += height;
  }
  return builder.build();
}

function variables() {
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    new QueryVariableBuilder('namespace')
      .label('Release in')
      .description('The namespace of the release. On one machine there is none, and "All" is right.')
      .datasource(DATA_SOURCE)
      .query({ query: 'label_values(seckill_operator_leader, namespace)', refId: 'namespace' })
      .refresh(VariableRefresh.OnDashboardLoad)
      .sort(VariableSort.AlphabeticalAsc)
      .includeAll(true)
      .allValue('.*')
      .current({ selected: true, text: 'All', value: '$__all' }),
    new QueryVariableBuilder('event')
      .label('Event')
      .description('As namespace/name; the one that is nearest to its opening comes first.')
      .datasource(DATA_SOURCE)
      .query({ query: `query_result(${EVENTS_BY_NEARNESS})`, refId: 'event' })
      .regex('/event="([^"]+)"/')
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.Disabled),
    new TextBoxVariableBuilder('runbooks')
      .label('Runbooks at')
      .description('Where your people read docs/runbooks: the URL of the folder, without a slash at its end.')
      .defaultValue('docs/runbooks'),
  ];
}

/** `topk` answers in the order of its values, so that the first choice is the sale that everybody looks for. */
const EVENTS_BY_NEARNESS = `topk(25, -abs(max by (event) (${ofAllEvents('secondsToOpening')})))`;

function inputs({ inputs: named = {} }: DashboardSpec): TextBoxVariableBuilder[] {
  return Object.entries(named).map(([name, { label, description, value }]) =>
    new TextBoxVariableBuilder(name).label(label).description(description).defaultValue(value),
  );
}

/** A mark where the event has a phase that it did not have one step before. */
function phaseChanges(): AnnotationQueryBuilder {
  const phase = `max by (phase) (${series('eventPhase')})`;
  const before = `max by (phase) (${series('eventPhase')} offset $__interval)`;
  return new AnnotationQueryBuilder()
    .name('Phases')
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor('purple')
    .expr(`${phase} unless ${before}`)
    .step('2s')
    .titleFormat('{{phase}}')
    .textFormat('$event')
    .tagKeys('phase');
}

function links(): DashboardLinkBuilder[] {
  return [
    new DashboardLinkBuilder('Dashboards')
      .type(DashboardLinkType.Dashboards)
      .tags([TAG])
      .asDropdown(false)
      .includeVars(true)
      .keepTime(true),
    new DashboardLinkBuilder('Runbooks')
      .type(DashboardLinkType.Link)
      .icon('doc')
      .tooltip('What to do, by alert')
      .url('$runbooks')
      .targetBlank(true),
  ];
}
