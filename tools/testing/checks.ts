import { join } from 'node:path';
import { runCommand } from '../servers/command.ts';

const CHECK_TIMEOUT_MS = 300_000;

const root = join(import.meta.dirname, '../..');
const program = (name: string) => join(root, 'node_modules/.bin', name);

const checks = [
  { name: 'types', command: program('tsc'), args: ['--noEmit', '-p', root, '--pretty', 'false'] },
  { name: 'lint', command: program('biome'), args: ['check', '--error-on-warnings', '--max-diagnostics=50', root] },
  { name: 'dead code', command: program('knip'), args: ['--no-progress', '--no-config-hints'] },
] as const;

/** Runs the three checks side by side. Prints what a failed one said; answers the names of those that failed. */
export const runChecks = async (print: (line: string) => void): Promise<string[]> => {
  const results = await Promise.all(
    checks.map(async ({ name, command, args }) => {
      const startMs = performance.now();
      const result = await runCommand(command, args, { cwd: root, timeoutMs: CHECK_TIMEOUT_MS });
      return { name, ...result, seconds: ((performance.now() - startMs) / 1000).toFixed(1) };
    }),
  );
  for (const { name, code, stdout, stderr, seconds } of results) {
    if (code !== 0) print(`${stdout}${stderr}`.trimEnd());
    print(`${name}: ${code === 0 ? 'passed' : 'FAILED'} (${seconds} s)`);
  }
  return results.filter(({ code }) => code !== 0).map(({ name }) => name);
};
