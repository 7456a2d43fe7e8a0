import type { TSchema } from 'typebox';
import { specSchema } from '../../operator/api/seckill-event.ts';
import { statusSchema } from '../../operator/api/status.ts';

/** docs/event-reference.md as the schema has it. */
export function renderEventReference(): string {
  return [
    '# Reference of SeckillEvent',
    '',
    'Made from the schema; a test compares ([how to make it anew](../CONTRIBUTING.md#what-is-generated)).',
    '[event.md](event.md) explains.',
    '',
    '## Fields of spec',
    '',
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...fieldRows('spec', specSchema, 'with defaults'),
    '',
    '## Fields of status',
    '',
    'Nobody but the operator writes them. [conditions.md](conditions.md) explains what they say.',
    '',
    '| field | type | meaning |',
    '| --- | --- | --- |',
    ...fieldRows('status', statusSchema, 'without defaults'),
    '',
  ].join('\n');
}

interface ShownSchema {
  type?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  description?: string;
  required?: string[];
  properties?: Record<string, TSchema>;
  items?: TSchema;
}

function fieldRows(path: string, schema: TSchema, defaults: 'with defaults' | 'without defaults'): string[] {
  const { properties = {}, required = [] } = schema as ShownSchema;
  return Object.entries(properties).flatMap(([name, property]) => {
    const shown = property as ShownSchema;
    const field = `${path}.${name}`;
    if (shown.properties !== undefined) return fieldRows(field, property, defaults);
    const fallback =
      shown.default === undefined
        ? required.includes(name)
          ? 'required'
          : ''
        : `\`${JSON.stringify(shown.default)}\``;
    const cells = defaults === 'with defaults' ? [typeOf(shown), fallback] : [typeOf(shown)];
    const own = row([`\`${field}\``, ...cells, shown.description ?? '']);
    return shown.items === undefined ? [own] : [own, ...fieldRows(`${field}[]`, shown.items, defaults)];
  });
}

function typeOf({ type, enum: values, minimum, maximum }: ShownSchema): string {
  if (values !== undefined) return values.map((value) => `\`${String(value)}\``).join(', ');
  if (minimum !== undefined && maximum !== undefined) return `${type} ${minimum}–${maximum}`;
  return type === 'array' ? 'list' : (type ?? '');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
