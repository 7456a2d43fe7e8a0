import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../tools/servers/command.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = join(import.meta.dirname, '../..');
const biome = join(root, 'node_modules/.bin/biome');

/** [file, what it imports], as code in this repository would write it. */
type Import = readonly [file: string, specifier: string];

const refused: readonly Import[] = [
  ['services/domain/a.ts', '../kit/log.ts'],
  ['services/domain/a.ts', '../order/a.ts'],
  ['services/domain/a.ts', '../../lua/stock.ts'],
  ['services/domain/a.ts', 'node:fs'],
  ['services/kit/a.ts', '../seckill/app.ts'],
  ['services/kit/kafka/a.ts', '../../relay/a.ts'],
  ['services/kit/a.ts', '../../lua/keys.ts'],
  ['services/kit/a.ts', '../../ledger/models.ts'],
  ['services/kit/a.ts', '../../tools/servers/launch.ts'],
  ['services/seckill/a.ts', '../order/a.ts'],
  ['services/seckill/routes/a.ts', '../../relay/a.ts'],
  ['services/seckill/a.ts', '../../ledger/models.ts'],
  ['services/seckill/a.ts', '../../operator/api/types.ts'],
  ['services/seckill/a.ts', '../../cli/token.ts'],
  ['services/relay/a.ts', '../../ledger/models.ts'],
  ['services/relay/a.ts', '../seckill/app.ts'],
  ['services/relay/a.ts', '../../test/support/redis.ts'],
  ['services/order/a.ts', '../relay/a.ts'],
  ['services/order/a.ts', '../../operator/api/types.ts'],
  ['services/order/a.ts', '../../tools/servers/launch.ts'],
  ['services/gateway/a.ts', '../seckill/app.ts'],
  ['services/edge/a.ts', '../../lua/keys.ts'],
  ['services/page/a.ts', '../../ledger/models.ts'],
  ['lua/a.ts', '../ledger/models.ts'],
  ['lua/a.ts', '../services/seckill/app.ts'],
  ['lua/a.ts', '../operator/main.ts'],
  ['lua/a.ts', '../cli/token.ts'],
  ['ledger/a.ts', '../lua/stock.ts'],
  ['ledger/a.ts', '../services/order/a.ts'],
  ['ledger/a.ts', '../bench/main.ts'],
  ['operator/reconcile.ts', '../lua/stock.ts'],
  ['operator/reconcile.ts', '../ledger/models.ts'],
  ['operator/reconcile.ts', '../services/seckill/app.ts'],
  ['operator/platform/host/a.ts', '../../../lua/keys.ts'],
  ['operator/platform/host/a.ts', '../../../tools/servers/launch.ts'],
  ['operator/api/a.ts', '../../cli/up.ts'],
  ['operator/effects/a.ts', '../../services/relay/a.ts'],
  ['operator/main.ts', '../services/order/main.ts'],
  ['operator/plan/a.ts', '../effects/stock.ts'],
  ['operator/plan/a.ts', '../platform/host/a.ts'],
  ['operator/plan/a.ts', '../../lua/stock.ts'],
  ['operator/plan/a.ts', '../reconcile.ts'],
  ['operator/plan/a.ts', 'ioredis'],
  ['tools/a.ts', '../cli/up.ts'],
  ['tools/servers/a.ts', '../../lua/keys.ts'],
  ['tools/servers/a.ts', '../../operator/api/types.ts'],
  ['cli/a.ts', '../bench/main.ts'],
  ['cli/a.ts', '../test/support/redis.ts'],
  ['bench/a.ts', '../test/support/redis.ts'],
];

const allowed: readonly Import[] = [
  ['services/domain/a.ts', './order.ts'],
  ['services/domain/a.ts', 'node:crypto'],
  ['services/kit/a.ts', '../domain/order.ts'],
  ['services/kit/kafka/a.ts', 'kafkajs'],
  ['services/seckill/a.ts', '../domain/order.ts'],
  ['services/seckill/a.ts', '../../lua/stock.ts'],
  ['services/seckill/routes/a.ts', '../../kit/log.ts'],
  ['services/relay/a.ts', '../../lua/stock.ts'],
  ['services/order/a.ts', '../../lua/stock.ts'],
  ['services/order/a.ts', '../../ledger/models.ts'],
  ['services/order/a.ts', './order.ts'],
  ['services/gateway/a.ts', '../../ledger/models.ts'],
  ['lua/a.ts', '../services/domain/order.ts'],
  ['lua/a.ts', './keys.ts'],
  ['ledger/a.ts', '../services/kit/log.ts'],
  ['operator/main.ts', './effects/stock.ts'],
  ['operator/main.ts', '../lua/stock.ts'],
  ['operator/effects/a.ts', '../../lua/stock.ts'],
  ['operator/effects/a.ts', '../../ledger/models.ts'],
  ['operator/platform/host/a.ts', '../../api/types.ts'],
  ['operator/plan/a.ts', '../api/types.ts'],
  ['operator/plan/a.ts', '../../services/domain/order.ts'],
  ['tools/a.ts', './servers/redis.ts'],
  ['cli/a.ts', '../tools/servers/redis.ts'],
  ['cli/a.ts', '../operator/api/types.ts'],
  ['bench/a.ts', '../cli/load/player.ts'],
  ['test/lua/a.ts', '../../cli/load/player.ts'],
  ['test/lua/a.ts', '../support/redis.ts'],
];

const folder = tempDir();

interface Report {
  diagnostics: { category: string; message: string; location: { path: string; start: { line: number } } }[];
}

/** Lints files that hold the imports, in a folder of this repository's shape. Answers the imports that were refused. */
const lint = async (imports: readonly Import[], name: string): Promise<string[]> => {
  const home = join(folder, name);
  mkdirSync(home);
  copyFileSync(join(root, 'biome.json'), join(home, 'biome.json'));
  const specifiers = Map.groupBy(imports, ([file]) => file);
  for (const [file, rows] of specifiers) {
    mkdirSync(join(home, dirname(file)), { recursive: true });
    writeFileSync(join(home, file), rows.map(([, specifier]) => `import '${specifier}';\n`).join(''));
  }
  const args = ['lint', '--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none'];
  const { stdout } = await runCommand(biome, args, { cwd: home });
  return (JSON.parse(stdout) as Report).diagnostics.map(({ category, message, location }) => {
    expect(category, message).toBe('lint/style/noRestrictedImports');
    expect(message, 'the reason').toMatch(/: .{20,}/);
    const [, specifier] = specifiers.get(location.path)?.[location.start.line - 1] ?? [];
    return `${location.path} imports ${specifier}`;
  });
};

const sentences = (imports: readonly Import[]): string[] => imports.map(([file, what]) => `${file} imports ${what}`);

test('an import against the order of the folders is refused, and the reason is said', async () => {
  expect((await lint(refused, 'refused')).sort()).toEqual(sentences(refused).sort());
});

test('an import along the order of the folders is allowed', async () => {
  expect(await lint(allowed, 'allowed')).toEqual([]);
});

test('operator/plan waits for nothing', () => {
  const plan = join(root, 'operator/plan');
  const files = readdirSync(plan).filter((name) => name.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(5);
  for (const name of files)
    expect(readFileSync(join(plan, name), 'utf8'), name).not.toMatch(/\b(async|await|Promise)\b/);
});
