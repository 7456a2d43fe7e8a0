import type { TSchema } from 'typebox';
import { specSchema } from '../../operator/api/seckill-event.ts';
import { ARMING_CHECKS } from '../../operator/plan/arming.ts';
import { REASONS } from '../../operator/plan/reasons.ts';

/** docs/event-reference.md as the code has it: fields from the schema, checks and reasons from the plan. */
export function renderEventReference(): string {
  return [
    '# Reference of SeckillEvent',
    '',
    'Made from the schema and the plan by `npx vitest run test/docs --update`; a test compares. [event.md](event.md) explains.',
    '',
    '## Fields of spec',
    '',
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...fieldRows('spec', specSchema),
    '',
    '## Checks before arming',
    '',
    'A *blocking* check keeps the sale from being armed; an *advisory* one lets it open `Degraded`.',
    '',
    '| check | kind | passes when |',
    '| --- | --- | --- |',
    ...ARMING_CHECKS.map(({ name, blocking, passed }) =>
      row([`\`${name}\``, blocking ? 'blocking' : 'advisory', passed]),
    ),
    '',
    '## Reasons',
    '',
    '| reason | means |',
    '| --- | --- |',
    ...Object.entries(REASONS).map(([reason, sentence]) => row([`\`${reason}\``, sentence])),
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
}

function fieldRows(path: string, schema: TSchema): string[] {
  const { properties = {}, required = [] } = schema as ShownSchema;
  return Object.entries(properties).flatMap(([name, property]) => {
    const field = `${path}.${name}`;
    const shown = property as ShownSchema;
    if (shown.properties !== undefined) return fieldRows(field, property);
    const fallback =
      shown.default === undefined
        ? required.includes(name)
          ? 'required'
          : ''
        : `\`${JSON.stringify(shown.default)}\``;
    return [row([`\`${field}\``, typeOf(shown), fallback, shown.description ?? ''])];
  });
}

function typeOf({ type, enum: values, minimum, maximum }: ShownSchema): string {
  if (values !== undefined) return values.map((value) => `\`${String(value)}\``).join(', ');
  if (minimum !== undefined && maximum !== undefined) return `${type} ${minimum}–${maximum}`;
  return type ?? '';
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
