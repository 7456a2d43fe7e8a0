import { didYouMean, expected, type SchemaNode, shown } from './expected.ts';

export interface Problem {
  /** Path of the field, such as `spec.stock.totalUnits`; empty for the document itself. */
  field: string;
  /** A sentence that says what is expected, and what was found. */
  message: string;
}

/**
 * Compares a document with its schema, and fills the defaults in. All problems are found, not only the first.
 * The value is a copy; it is only meaningful when there are no problems.
 */
export function fillAndCheck(node: SchemaNode, value: unknown, field = ''): { value: unknown; problems: Problem[] } {
  const problems: Problem[] = [];
  const filled = walk(node, value, field, problems);
  return { value: filled, problems };
}

function walk(node: SchemaNode, value: unknown, field: string, problems: Problem[]): unknown {
  if (node.type === 'object') return walkObject(node, value, field, problems);
  if (!fits(node, value)) problems.push(wrong(node, field, value));
  return value;
}

function wrong(node: SchemaNode, field: string, value: unknown): Problem {
  const name = field === '' ? 'the document' : field;
  return { field, message: `${name} must be ${expected(node)}, got ${shown(value)}` };
}

function walkObject(node: SchemaNode, value: unknown, field: string, problems: Problem[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(wrong(node, field, value));
    return value;
  }
  const given = value as Record<string, unknown>;
  const map = node.patternProperties;
  if (map !== undefined) return walkMap(Object.values(map)[0] ?? {}, node, given, field, problems);

  const known = node.properties ?? {};
  const result: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(known)) {
    const path = field === '' ? name : `${field}.${name}`;
    const present = given[name] !== undefined && given[name] !== null;
    const found = present ? given[name] : structuredClone(child.default);
    if (found !== undefined) result[name] = walk(child, found, path, problems);
    else if (node.required?.includes(name) === true) {
      problems.push({ field: path, message: `${path} is missing: it must be ${expected(child)}` });
    }
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    const path = field === '' ? name : `${field}.${name}`;
    const meant = didYouMean(name, Object.keys(known));
    problems.push({ field: path, message: `${path} is not a field${meant ? `: did you mean ${meant}?` : ''}` });
  }
  return result;
}

/** A map with free keys; all that is said of it is one sentence, since its keys are not ours. */
function walkMap(
  child: SchemaNode,
  node: SchemaNode,
  given: Record<string, unknown>,
  field: string,
  problems: Problem[],
): unknown {
  const bad = Object.entries(given).find(([, value]) => !fits(child, value));
  if (bad !== undefined) {
    problems.push({
      field: `${field}.${bad[0]}`,
      message: `${field}.${bad[0]} must be a text (${field} is ${expected(node)}), got ${shown(bad[1])}`,
    });
  }
  return { ...given };
}

function fits(node: SchemaNode, value: unknown): boolean {
  if (node.enum !== undefined) return node.enum.includes(value);
  switch (node.type) {
    case 'integer':
      return (
        typeof value === 'number' &&
        Number.isSafeInteger(value) &&
        value >= (node.minimum ?? 0) &&
        value <= (node.maximum ?? Number.MAX_SAFE_INTEGER)
      );
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string' && textFits(node, value);
    default:
      return false;
  }
}

function textFits(node: SchemaNode, value: string): boolean {
  // Characters, as the API server counts them, not halves of a pair.
  const { length } = [...value];
  if (length < (node.minLength ?? 0) || length > (node.maxLength ?? Number.MAX_SAFE_INTEGER)) return false;
  if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value)) return false;
  // The pattern lets the 31st of February through.
  return node.format !== 'date-time' || isTime(value);
}

function isTime(value: string): boolean {
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) return false;
  const day = Number(value.slice(8, 10));
  const monthLengths = new Date(Date.UTC(Number(value.slice(0, 4)), Number(value.slice(5, 7)), 0)).getUTCDate();
  return day <= monthLengths;
}
