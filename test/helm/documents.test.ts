import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chartDocuments } from '../../tools/chart/documents.ts';

const root = join(import.meta.dirname, '../..');

// What differs is renewed by `vitest -u`.
describe.each(['seckill', 'evaluation'])('the documents of the chart %s', (chart) => {
  it('are what values.yaml says', async () => {
    const { readme, schema } = await chartDocuments(root, chart);
    await expect(readme).toMatchFileSnapshot(join(root, 'helm', chart, 'README.md'));
    await expect(schema).toMatchFileSnapshot(join(root, 'helm', chart, 'values.schema.json'));
  });
});
