import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const PROGRAM = `
const { colorsOf } = await import('./cli/colors.ts');
process.stdout.write(JSON.stringify([true, false].map((isTTY) => colorsOf({ isTTY }).bold('x') !== 'x')));
`;

/** Whether a terminal gets colours, and whether a pipe does. The library reads the environment once, when it is loaded. */
function colored(env: Record<string, string>): boolean[] {
  const { CI: _ci, NO_COLOR: _no, FORCE_COLOR: _force, ...rest } = process.env;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { env: { ...rest, ...env } });
  return JSON.parse(said.toString()) as boolean[];
}

test('only a terminal gets colours, also where CI is set, and none where nobody wants them', () => {
  expect(colored({ CI: 'true' })).toEqual([true, false]);
  expect(colored({ CI: 'true', NO_COLOR: '1' })).toEqual([false, false]);
});
