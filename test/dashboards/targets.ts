import { DASHBOARDS, renderDashboard } from '../../dashboards/grafana/dashboards.ts';

/** A panel as Grafana reads it, as far as tests look at it. */
export interface ReadPanel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  links?: { url: string }[];
  fieldConfig?: {
    defaults: { unit?: string; noValue?: string; thresholds?: { steps: { value: number | null; color: string }[] } };
  };
  targets?: { refId: string; expr: string; interval?: string; instant?: boolean; range?: boolean }[];
}

export interface ReadDashboard {
  uid: string;
  title: string;
  panels: ReadPanel[];
  templating: { list: { name: string; type: string; query?: string | { query: string }; regex?: string }[] };
  annotations: { list: { name: string; expr: string }[] };
  links: { type: string; tags?: string[]; url?: string }[];
}

/** One query of a panel, named so that a table of them can be read. */
export interface Target {
  name: string;
  expr: string;
}

export const readDashboards = (): ReadDashboard[] =>
  DASHBOARDS.map((spec) => JSON.parse(renderDashboard(spec)) as ReadDashboard);

export const panelsOf = ({ panels }: ReadDashboard): ReadPanel[] => panels.filter(({ type }) => type !== 'row');

/** Every query of every panel. */
export function allTargets(): Target[] {
  return readDashboards().flatMap((dashboard) =>
    panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ name: `${dashboard.uid} / ${title} / ${refId}`, expr })),
    ),
  );
}

/** The query as Grafana sends it: longer names first, since one may begin with another. */
export function fillIn(expr: string, values: Readonly<Record<string, string>>): string {
  const names = Object.keys(values).sort((a, b) => b.length - a.length);
  return names.reduce((text, name) => text.replaceAll(`$${name}`, values[name] ?? ''), expr);
}
