import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderFaults } from './document.ts';
import { FAULTS, type FaultId, type Seen } from './faults.ts';
import { ROWS_VARIABLE } from './record.ts';

// Plays every fault of the list by the tests that do so anyway, and writes docs/faults.md of what they saw.

const root = join(import.meta.dirname, '../..');
/** One after the other, so that what is measured is not the other's load. */
const FILES = [
  'test/kubernetes/faults.test.ts',
  'test/kubernetes/operator.test.ts',
  'test/kubernetes/machinery.test.ts',
  'test/operator/operators.test.ts',
  'test/operator/recovery.test.ts',
  'test/sale/operator-faults.test.ts',
  'test/servers/secured.test.ts',
];

async function play(rows: string): Promise<number> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--no-file-parallelism', ...FILES], {
    ...{ cwd: root, stdio: ['ignore', 'inherit', 'inherit'] as const },
    env: { ...process.env, [ROWS_VARIABLE]: rows },
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const rows = mkdtempSync(join(tmpdir(), 'seckill-faults-'));
try {
  const code = await play(rows);
  const ids = Object.keys(FAULTS) as FaultId[];
  const missing = ids.filter((id) => !existsSync(join(rows, `${id}.json`)));
  if (code === 0 && missing.length === 0) {
    const seen = ids.map((id) => [id, JSON.parse(readFileSync(join(rows, `${id}.json`), 'utf8')) as Seen]);
    const document = renderFaults(Object.fromEntries(seen) as Record<FaultId, Seen>, availableParallelism());
    writeFileSync(join(root, 'docs/faults.md'), document);
    process.stdout.write(`docs/faults.md has ${ids.length} faults.\n`);
  } else {
    process.stderr.write(`seckill: docs/faults.md stays as it is; not played: ${missing.join(', ') || 'none'}.\n`);
    process.exitCode = 1;
  }
} finally {
  rmSync(rows, { recursive: true, force: true });
}
