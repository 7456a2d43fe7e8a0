import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freePort } from '../../tools/servers/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createRunner, processesOf } from './seckill.ts';

const folder = tempDir();
const seckill = createRunner(folder);
const examples = fileURLToPath(new URL('../../examples', import.meta.url));

test.each([
  [['demo', '--buyers', '0'], '--buyers', 'Give a whole number from 1 to'],
  [['demo', '--buyers', '-5'], '--buyers', 'Give a whole number from 1 to'],
  [['demo', '--units', 'abc'], '--units', 'Give a whole number from 1 to'],
  [['load', 'shop/x', '--rate', '5', '--burst'], '--rate', 'cannot be used with'],
  [['audit', 'Shop/X'], 'event', 'Give NAMESPACE/NAME'],
] as const)('seckill %j is refused by name, with the remedy, and exit code 2', async (args, name, remedy) => {
  const run = seckill(args);
  expect(await run.ended).toBe(2);
  expect(run.stderr()).toContain(name);
  expect(run.stderr()).toContain(remedy);
  expect(run.stdout()).toBe('');
});

test.each([
  [['audit', 'shop/x', '--state', 'none'], 'seckill up'],
  [['token', 'shop/x', '--state', 'none'], 'seckill up'],
] as const)('seckill %j says that no platform runs there, and how to start one', async (args, remedy) => {
  const run = seckill(args);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toContain('No platform runs on the folder none');
  expect(run.stderr()).toContain(remedy);
});

test('seckill up names the servers of the user that do not answer, each by its variable, and starts nothing', async () => {
  const nobody = await freePort();
  const run = seckill(['up', '-f', examples, '--state', 'lonely'], {
    SECKILL_REDIS_URL: `redis://:secret-1@127.0.0.1:${nobody}`,
    SECKILL_MYSQL_URL: `mysql://root:secret-1@127.0.0.1:${nobody}/seckill`,
    SECKILL_KAFKA_BROKERS: `127.0.0.1:${nobody}`,
  });
  expect(await run.ended).toBe(1);
  for (const variable of ['SECKILL_REDIS_URL', 'SECKILL_MYSQL_URL', 'SECKILL_KAFKA_BROKERS']) {
    expect(run.stderr()).toMatch(new RegExp(`${variable}: .*ECONNREFUSED.*leave the variable out`));
  }
  expect(run.stderr()).not.toContain('secret-1');
  expect(processesOf(join(folder, 'lonely'))).toEqual([]);
});

test('seckill up refuses the address of a server that is none', async () => {
  const run = seckill(['up', '-f', examples, '--state', 'lonely'], { SECKILL_REDIS_URL: 'localhost' });
  expect(await run.ended).toBe(2);
  expect(run.stderr()).toContain('SECKILL_REDIS_URL must be a URL such as redis://HOST:6379');
});

test('seckill up refuses by name the variables of servers that it would not hand on', async () => {
  const run = seckill(['up', '-f', examples, '--state', 'lonely'], {
    ...{ SECKILL_KAFKA_BROKERS: '127.0.0.1:1', SECKILL_KAFKA_TLS: 'true', SECKILL_MYSQL_CA_FILE: 'ca.pem' },
  });
  expect(await run.ended).toBe(2);
  expect(run.stderr()).toContain('SECKILL_KAFKA_TLS, SECKILL_MYSQL_CA_FILE: a platform on this machine takes');
});
