import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { ownDatabase } from '../support/mysql.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createRunner } from './seckill.ts';

const seckill = createRunner(tempDir());
const database = ownDatabase('test');

const at = (port: number | undefined, user = 'root'): { SECKILL_MYSQL_URL: string } => {
  const url = new URL(database.url);
  if (port !== undefined) url.port = String(port);
  url.username = user;
  return { SECKILL_MYSQL_URL: url.href };
};

it('waits for a database that is away, migrates once, and finds nothing to do the second time', async () => {
  const proxy = await startTcpProxy(Number(new URL(database.url).port));
  onTestFinished(() => proxy.close());
  proxy.cut();
  const first = seckill(['migrate'], at(proxy.port));
  await eventually(() => first.stderr().includes('waiting for the database: '));
  proxy.restore();
  expect(await first.ended).toBe(0);
  expect(first.stdout()).toMatch(/^migrated: 0001-ledger, /);

  const second = seckill(['migrate'], at(undefined));
  expect([await second.ended, second.stdout()]).toEqual([0, 'the schema is up to date\n']);
  const third = seckill(['migrate', '--json'], at(undefined));
  expect([await third.ended, JSON.parse(third.stdout())]).toEqual([0, { migrated: [] }]);
});

it('gives up in time, and at once where waiting cannot help, in words', async () => {
  const late = seckill(['migrate', '--wait', '1'], at(1));
  const denied = seckill(['migrate', '--wait', '600'], at(undefined, 'nobody-knows-him'));
  const unnamed = seckill(['migrate'], { SECKILL_MYSQL_URL: '' });
  expect(await late.ended).toBe(1);
  expect(late.stderr()).toContain('seckill: The schema was not migrated: connect ECONNREFUSED 127.0.0.1:1');
  expect(await denied.ended).toBe(1);
  expect(denied.stderr()).toContain("seckill: The schema was not migrated: Access denied for user 'nobody-knows-him'");
  expect(await unnamed.ended).toBe(2);
  expect(unnamed.stderr()).toContain('SECKILL_MYSQL_URL is missing');
});
