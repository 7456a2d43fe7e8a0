import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { auditCommand } from '../../cli/audit.ts';
import { deleteCommand } from '../../cli/delete.ts';
import { demoCommand } from '../../cli/demo.ts';
import { EXIT_CODES } from '../../cli/exit-codes.ts';
import { loadCommand } from '../../cli/load.ts';
import { migrateCommand } from '../../cli/migrate.ts';
import { preflightCommand } from '../../cli/preflight.ts';
import { statusCommand } from '../../cli/status.ts';
import { tokenCommand } from '../../cli/token.ts';
import { uninstallCheckCommand } from '../../cli/uninstall-check.ts';
import { upCommand } from '../../cli/up.ts';
import { watchCommand } from '../../cli/watch.ts';

const servers = (): never => {
  throw new Error('no command is run here');
};
const around = { environment: servers, plugin: false };
const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
const sections = new Map(
  text.split(/^## /m).map((section) => {
    const [title = '', ...lines] = section.split('\n');
    return [title.trim(), lines.join('\n')] as const;
  }),
);
const commands = [
  upCommand({ servers }),
  statusCommand(around),
  watchCommand(),
  deleteCommand(),
  tokenCommand(around),
  loadCommand(),
  auditCommand(around),
  demoCommand({ servers }),
  migrateCommand({ environment: servers }),
  preflightCommand({ environment: servers }),
  uninstallCheckCommand({ environment: servers }),
];

test.each(commands.map((command) => [command.name(), command] as const))(
  'docs/cli.md has exactly the options of seckill %s',
  (name, command) => {
    const section = sections.get(`seckill ${name}`) ?? '';
    const told = [...section.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, option]) => option);
    expect(told.toSorted()).toEqual(command.options.map(({ long }) => long).toSorted());
  },
);

test.each(commands.map((command) => [command.name(), command] as const))(
  'docs/cli.md has the default values of seckill %s',
  (name, command) => {
    const section = sections.get(`seckill ${name}`) ?? '';
    for (const { long, defaultValue } of command.options) {
      if (typeof defaultValue !== 'number' && typeof defaultValue !== 'string') continue;
      const row = section.split('\n').find((line) => line.startsWith(`| \`${long}`)) ?? '';
      expect(row.replaceAll('`', '')).toMatch(new RegExp(`default ${String(defaultValue).replaceAll('.', '\\.')}\\b`));
    }
  },
);

test('docs/cli.md has every command and every exit code', () => {
  expect([...sections.keys()].filter((title) => title.startsWith('seckill ')).toSorted()).toEqual(
    commands.map((command) => `seckill ${command.name()}`).toSorted(),
  );
  const codes = [...(sections.get('Exit codes') ?? '').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(EXIT_CODES));
});
