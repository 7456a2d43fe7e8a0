import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../servers/command.ts';
import { CHARTS } from './constraints.ts';

const require = createRequire(import.meta.url);

/** Loading the generator's modules takes most of it. */
const GENERATOR_TIMEOUT_MS = 60_000;

interface Schema {
  $schema?: string;
  title?: string;
  type?: unknown;
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  items?: unknown;
}

export interface ChartDocuments {
  /** README.md with a fresh table of the values. */
  readme: string;
  /** values.schema.json */
  schema: string;
}

/**
 * The two documents of a chart that are made of its values.yaml: nothing is written there. Throws what the generator
 * says of a value without a sentence, or of a sentence without a value.
 */
export async function chartDocuments(root: string, chart: string): Promise<ChartDocuments> {
  const folder = await mkdtemp(join(tmpdir(), 'seckill-chart-'));
  try {
    const [values, readme, schema] = ['values.yaml', 'README.md', 'values.schema.json'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    await Promise.all([
      cp(join(root, 'helm', chart, 'values.yaml'), values),
      cp(join(root, 'helm', chart, 'README.md'), readme),
    ]);
    const generator = require.resolve('@bitnami/readme-generator-for-helm/bin/index.js');
    const args = [generator, '--values', values, '--readme', readme, '--schema', schema];
    const { code, stdout, stderr } = await runCommand(process.execPath, args, { timeoutMs: GENERATOR_TIMEOUT_MS });
    if (code !== 0) throw new Error(`the documents of helm/${chart} could not be made:\n${stdout}${stderr}`);
    const generated = JSON.parse(await readFile(schema, 'utf8')) as Schema;
    addEmptyObjects(generated, await readFile(values, 'utf8'));
    return {
      readme: (await readFile(readme, 'utf8')).replaceAll('\r', ''),
      schema: `${JSON.stringify(constrained(generated, CHARTS[chart] ?? {}), null, 2)}\n`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The generator leaves objects out that are empty by default. */
function addEmptyObjects(schema: Schema, values: string): void {
  for (const [, path = '', description = ''] of values.matchAll(/## @param (\S+) \[object[^\]]*\] (.+)/g)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let parent = schema;
    for (const name of names) {
      parent.properties ??= {};
      parent.properties[name] ??= { type: 'object' };
      parent = parent.properties[name];
    }
    parent.properties = { ...parent.properties, [last]: { type: 'object', description, default: {} } };
  }
}

/** The schema with what is said beyond types, and closed against names that no template reads. */
function constrained(schema: Schema, constraints: Readonly<Record<string, Schema>>): Schema {
  const unused = new Set(Object.keys(constraints));
  const visit = (node: Schema, path: string): Schema => {
    const constraint = constraints[path];
    unused.delete(path);
    const { type, description, default: fallback, properties, ...rest } = node;
    const open = properties === undefined || Object.keys(properties).length === 0;
    // An alternative names its own types.
    const ownType = type === undefined || (constraint !== undefined && 'anyOf' in constraint) ? {} : { type };
    return {
      ...ownType,
      ...(description === undefined ? {} : { description }),
      ...(fallback === undefined ? {} : { default: fallback === '[]' ? [] : fallback }),
      ...(type === 'array' ? {} : rest),
      ...(open ? {} : { additionalProperties: false }),
      ...constraint,
      ...(open
        ? {}
        : {
            properties: Object.fromEntries(
              Object.entries(properties).map(([name, child]) => [
                name,
                visit(child, path === '' ? name : `${path}.${name}`),
              ]),
            ),
          }),
    };
  };
  const { title: _title, ...root } = schema;
  const { properties, ...whole } = visit(root, '');
  if (unused.size > 0) throw new Error(`constraints of values that do not exist: ${[...unused].join(', ')}`);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...whole,
    // Helm hands the globals of a parent chart down.
    properties: { ...properties, global: { type: 'object' } },
  };
}
