import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FAULTS } from '../faults/faults.ts';

const root = join(import.meta.dirname, '../..');
const rows = readFileSync(join(root, 'docs/faults.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => line.slice(2, -2).split(/(?<!\\) \| /));

test('the document of faults has a row with seconds for every fault of the list, and no other', () => {
  expect(rows.map(([fault, , measured]) => ({ fault, measured }))).toEqual(Object.values(FAULTS));
  for (const [fault, said, , seconds] of rows) {
    expect(said, fault).toMatch(/\S{3}/);
    expect(seconds, fault).toMatch(/^(&lt; )?\d+\.\d$/);
  }
});

test('every fault of the list is played by a test', () => {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  const texts = files.filter((file) => file.endsWith('.test.ts')).map((file) => readFileSync(join(root, 'test', file)));
  const all = Buffer.concat(texts).toString();
  expect(Object.keys(FAULTS).filter((id) => !all.includes(`'${id}'`))).toEqual([]);
});
