import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PHASES } from '../../operator/api/status.ts';
import { renderEventReference } from './event-reference.ts';

const docs = join(import.meta.dirname, '../../docs');

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
    expect(firstColumn(readFileSync(join(docs, 'event.md'), 'utf8'), 'Phases')).toEqual([...PHASES]);
  });

  it('explain every condition that the operator sets, and no other', () => {
    const source = readFileSync(join(docs, '../operator/plan/conditions.ts'), 'utf8');
    const set = new Set([...source.matchAll(/\btype(?::| =) '(\w+)'/g)].map((match) => match[1] ?? ''));
    expect(set.size).toBeGreaterThan(5);
    expect(new Set(firstColumn(readFileSync(join(docs, 'event.md'), 'utf8'), 'Conditions'))).toEqual(set);
  });
});
