import { SHOWN_VALUE_MAX_CHARS } from './limits.ts';

/** The keywords of JSON Schema that our schemas use. */
export interface SchemaNode {
  type?: string;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  patternProperties?: Record<string, SchemaNode>;
  additionalProperties?: boolean | SchemaNode;
  enum?: readonly unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  default?: unknown;
  description?: string;
  items?: SchemaNode;
  maxItems?: number;
  /** Ours: the field that tells the items of a list apart. */
  uniqueBy?: string;
  /** Ours: completes "FIELD must be …" where a pattern alone would not help a person. */
  expect?: string;
}

/** Completes the sentence "FIELD must be …". */
export function expected(node: SchemaNode): string {
  if (node.expect !== undefined) return node.expect;
  if (node.enum !== undefined) return alternatives(node.enum.map(String));
  switch (node.type) {
    case 'integer':
      return `an integer from ${node.minimum ?? 0} to ${node.maximum ?? Number.MAX_SAFE_INTEGER}`;
    case 'string':
      return `a text of ${node.minLength ?? 0} to ${node.maxLength ?? SHOWN_VALUE_MAX_CHARS} characters`;
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'a map of fields';
    default:
      return 'a value of its schema';
  }
}

function alternatives(values: string[]): string {
  if (values.length === 1) return values[0] ?? '';
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

/** What was written, for the end of a message. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'nothing';
  if (typeof value === 'object') return 'a map';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= SHOWN_VALUE_MAX_CHARS ? text : `${text.slice(0, SHOWN_VALUE_MAX_CHARS)}…`;
}

/** The known name that was probably meant, or nothing when none is near. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}

/** Levenshtein's distance, by its usual table of one row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
