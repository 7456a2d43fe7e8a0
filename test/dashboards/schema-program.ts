import { join } from 'node:path';

/**
 * A program that compiles if the dashboards fit the SDK's types. A compiler looks deeper than a check while they are
 * built: a builder takes options of any kind, and an unknown name in a literal is an error. In JSON a value of an enum
 * is its text, and builders' own marks are not written.
 */
export function schemaProgram(root: string, dashboards: readonly string[]): string {
  const sdk = (part: string) =>
    JSON.stringify(join(root, `node_modules/@grafana/grafana-foundation-sdk/dist/${part}/index.js`));
  return `
import type { Dashboard, Panel, RowPanel, FieldConfig, FieldConfigSource } from ${sdk('dashboard')};
import type { Dataquery } from ${sdk('prometheus')};
import type * as bargauge from ${sdk('bargauge')};
import type * as stat from ${sdk('stat')};
import type * as timeseries from ${sdk('timeseries')};

type Plain<T> = 0 extends 1 & T ? T
  : T extends string ? \`\${T}\`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[]
  : { [K in keyof T as T[K] extends () => void ? never : K]: Plain<T[K]> };

type Of<Type extends string, Options, Custom> = Plain<Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'>> & {
  type: Type;
  options?: Plain<Partial<Options>>;
  targets: Plain<Omit<Dataquery, '_implementsDataqueryVariant'>>[];
  fieldConfig?: Plain<Omit<FieldConfigSource, 'defaults'>> & {
    defaults: Plain<Omit<FieldConfig, 'custom'>> & { custom?: Plain<Partial<Custom>> };
  };
};
type Known =
  | Of<'stat', stat.Options, never>
  | Of<'bargauge', bargauge.Options, never>
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Plain<RowPanel>;
type Written = Plain<Omit<Dashboard, 'panels'>> & { panels: Known[] };

export const dashboards: Written[] = [
${dashboards.join(',\n')}
];
`;
}
