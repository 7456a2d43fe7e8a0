import { runChecks } from './testing/checks.ts';

const failed = await runChecks((line) => process.stdout.write(`${line}\n`));
if (failed.length > 0) process.stderr.write(`seckill: failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
