import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ABANDON_ANNOTATION,
  RECONCILE_ANNOTATION,
  UPDATE_ANNOTATION,
  UPDATE_NOW,
} from '../../operator/api/annotations.ts';
import { PHASES } from '../../operator/api/status.ts';
import { ARMING_CHECKS } from '../../operator/plan/arming.ts';
import { REASONS } from '../../operator/plan/reasons.ts';
import { renderEventReference } from './event-reference.ts';

const docs = join(import.meta.dirname, '../../docs');

const conditions = (): string => readFileSync(join(docs, 'conditions.md'), 'utf8');

/** The cells of the rows of the table under a heading. */
function rowsOf(text: string, heading: string): string[][] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The words in code type in the first column of the table under a heading. */
function firstColumn(text: string, heading: string): string[] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1] ?? '');
}

describe('the documents of SeckillEvent', () => {
  it('have a reference that is what the code says', async () => {
    await expect(renderEventReference()).toMatchFileSnapshot(join(docs, 'event-reference.md'));
  });

  it('explain every phase, and no other', () => {
    expect(firstColumn(conditions(), 'Phases')).toEqual([...PHASES]);
  });

  it('explain every condition that the operator sets, and no other', () => {
    const source = readFileSync(join(docs, '../operator/plan/conditions.ts'), 'utf8');
    const set = new Set([...source.matchAll(/\btype(?::| =) '(\w+)'/g)].map((match) => match[1] ?? ''));
    expect(set.size).toBeGreaterThan(5);
    expect(new Set(firstColumn(conditions(), 'Conditions'))).toEqual(set);
  });

  it('explain every reason in the words of the code, and say what to do', () => {
    const rows = rowsOf(conditions(), 'Reasons').map(([reason, meaning]) => [reason?.replaceAll('`', ''), meaning]);
    expect(Object.fromEntries(rows)).toEqual(REASONS);
  });

  it('explain every check in the words of the code, and say what to do', () => {
    const rows = rowsOf(conditions(), 'Checks').map((cells) => cells.slice(0, 3));
    const wanted = ARMING_CHECKS.map(({ name, blocking, passed }) => [
      `\`${name}\``,
      blocking ? 'blocking' : 'advisory',
      passed,
    ]);
    expect(rows).toEqual(wanted);
  });

  it('have no cell that says nothing', () => {
    const cells = ['Phases', 'Conditions', 'Reasons', 'Checks'].flatMap((table) => rowsOf(conditions(), table).flat());
    expect(cells.length).toBeGreaterThan(150);
    expect(cells.filter((cell) => cell === '' || cell === 'TODO')).toEqual([]);
  });

  it('show every annotation that the operator obeys', () => {
    const text = readFileSync(join(docs, 'event.md'), 'utf8');
    for (const annotation of [RECONCILE_ANNOTATION, `${UPDATE_ANNOTATION}: ${UPDATE_NOW}`, ABANDON_ANNOTATION]) {
      expect(text).toContain(`| \`${annotation}`);
    }
  });
});
