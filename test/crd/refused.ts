import { stringify } from 'yaml';
import type { Cause } from './api.ts';

/** One refused manifest: what was written, and the answers of the API server and of the host. */
export interface Refused {
  written: string;
  kubernetes: readonly Cause[];
  /** The whole text, where it names no cause. */
  text: string;
  host: readonly string[];
}

const SHOWN_CHARS = 60;
/** Where a value is of the wrong type, missing or too long. */
const NOT_ALL_ASKED = 'some validation rules were not checked because the object was invalid';

/** Fields as a person would write them, in one line. */
export function written(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([field, value]) => {
      const text = value === undefined ? '' : stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
      const shown = [...text].length <= SHOWN_CHARS ? text : `${[...text].slice(0, SHOWN_CHARS).join('')}…`;
      const name = field.replace(/^spec\./, '');
      return value === undefined ? `no \`${name}\`` : `\`${name}: ${shown}\``;
    })
    .join(', ');
}

/** docs/refused-manifests.md: each case of the table, as it was answered. */
export function renderRefused(parts: { manifests: Refused[]; together: Refused[]; changes: Refused[] }): string {
  return [
    '# Refused manifests',
    '',
    'Made from the answers of a real API server (Kubernetes 1.34); a test compares',
    '([how to make it anew](../CONTRIBUTING.md#what-is-generated)).',
    'Fields are written over a manifest that is right. `kubectl` prints the answer of the API server, `seckill up` that of the host.',
    'Where a value is missing, too long or of the wrong type, the API server adds that it did not ask all rules.',
    '',
    '## A field that is wrong by itself',
    '',
    ...table(parts.manifests),
    '',
    '## Fields that are wrong together, or not implemented yet',
    '',
    ...table(parts.together),
    '',
    '## Changes of a sale that has begun',
    '',
    'The sale was applied with 1000 units and a window from 12:00 to 12:30; 400 units are sold.',
    '',
    ...table(parts.changes),
    '',
  ].join('\n');
}

function table(rows: readonly Refused[]): string[] {
  return [
    '| written | the API server says | the host says |',
    '| --- | --- | --- |',
    ...rows.map(({ written: what, kubernetes, text, host }) => {
      const told = kubernetes.filter(({ message }) => !message.includes(NOT_ALL_ASKED));
      const causes = told.map(({ field, message }) => `${field}: ${message}`).sort();
      return `| ${[what, (causes.length > 0 ? causes : [text]).join('<br>'), host.join('<br>')].map(cell).join(' | ')} |`;
    }),
  ];
}

/** Long values are cut, and nothing is taken for a column, a tag or a mark. */
function cell(text: string): string {
  return text
    .replaceAll(/(\S{60})\S+/gu, '$1…')
    .replaceAll('|', '\\|')
    .replaceAll('<nil>', 'metadata.name')
    .replaceAll('*', '\\*');
}
