import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCLI, startVitest } from 'vitest/node';
import { resolveKubernetes } from './kubernetes/resolve.ts';
import { serverOptions } from './servers/options.ts';
import { missingSentences, resolveServers } from './servers/resolve.ts';
import { runChecks } from './testing/checks.ts';
import { killLeftovers, leftoversAfter, leftoversOf } from './testing/leftovers.ts';
import { countTests, noOutcome } from './testing/outcome.ts';

/** How long what the tests started may take to end after the last test. */
const LEFTOVER_GRACE_MS = 15_000;

const print = (line: string) => process.stdout.write(`${line}\n`);

// All temporary files of the run are in one folder, which also tells the processes of the run from all others.
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'seckill-run-')));
process.env['TMPDIR'] = folder;
const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killLeftovers(leftoversOf(folder));
    removeFolder();
    process.exit(130);
  });
}

const runTests = async (args: readonly string[]) => {
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  // Tests that kill servers meet the timing of a busy machine. A second attempt does not hide that: each test that needed
  // one is named as flaky at the end, and a flaky test is a bug whose cause is looked for.
  const retry = process.env['CI'] === 'true' ? { retry: 1 } : {};
  const vitest = await startVitest(filter, { ...options, ...retry, run: true, watch: false });
  const outcome = countTests(vitest.state.getTestModules(), vitest.state.getUnhandledErrors());
  await vitest.close();
  return outcome;
};

const main = async (): Promise<number> => {
  const args = process.argv.slice(2);
  const outcome = noOutcome();
  const servers = serverOptions(process.env);
  // Single files are run to see their outcome soon: one that needs Kubernetes makes it for itself.
  const kubernetes = args.length === 0 ? await resolveKubernetes(servers) : [];
  const missing = missingSentences([...(await resolveServers(servers)), ...kubernetes]);
  // Without its servers most tests could only fail, one by one and slowly.
  if (missing.length > 0) {
    outcome.failed = missing.length;
    outcome.remarks = missing.map((sentence) => `failed: ${sentence}`);
  } else {
    const failedChecks = args.length === 0 ? await runChecks(print) : [];
    const tests = await runTests(args);
    outcome.passed = tests.passed;
    outcome.skipped = tests.skipped;
    outcome.failed = tests.failed + failedChecks.length;
    outcome.remarks = [...failedChecks.map((name) => `failed: the check of ${name}, see above`), ...tests.remarks];
  }
  const left = await leftoversAfter(folder, LEFTOVER_GRACE_MS);
  if (left.length > 0) {
    killLeftovers(left);
    outcome.failed += 1;
    outcome.remarks.push(...left.map(({ pid, command }) => `failed: still running after the tests: ${pid} ${command}`));
  }
  removeFolder();
  const { passed, failed, skipped, remarks } = outcome;
  const strict = process.env['CI'] === 'true' && skipped > 0;
  if (strict) remarks.push('failed: under CI=true no test may be skipped');
  for (const remark of remarks) print(remark);
  await new Promise((resolve) => process.stderr.write('', resolve));
  await new Promise((resolve) =>
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`, resolve),
  );
  return failed > 0 || strict ? 1 : 0;
};

process.exit(await main());
