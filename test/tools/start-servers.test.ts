import { existsSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { describeKafka, findKafka, kafkaReady, prepareKafka, startKafka } from '../../tools/servers/kafka.ts';
import { findMariadb, mariadbReady, prepareMariadb, startMariadb } from '../../tools/servers/mariadb.ts';
import { mainDirectives, type NginxBinary, startNginx, temporaryPaths } from '../../tools/servers/nginx.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { freePort } from '../../tools/servers/ports.ts';
import { findRedis, prepareRedis, redisReady, startRedis } from '../../tools/servers/redis.ts';
import { eventually } from '../support/eventually.ts';
import { sharedKafka } from '../support/kafka.ts';
import { ownDatabase } from '../support/mysql.ts';
import { tempDir } from '../support/temp-dir.ts';

const options = serverOptions(process.env);
const folder = tempDir();
const kafka = sharedKafka();
const database = ownDatabase();

const closedAfterTest = <T extends { close(): Promise<void> }>(server: T): T => {
  onTestFinished(() => server.close());
  return server;
};

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const withRedis = async <T>(url: string, ask: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(url, { retryStrategy: null, commandTimeout: 3_000, lazyConnect: true });
  redis.on('error', () => {});
  await redis.connect();
  return ask(redis).finally(() => redis.disconnect());
};

const soon = () => ({ deadlineMs: Date.now() + 60_000 });

test('Redis starts as the platform demands it, and keeps its data over kill -9 on the same port', async () => {
  const server = closedAfterTest(await startRedis(options, { config: { appendfsync: 'always' } }));
  const first = server.pid();
  await withRedis(server.url, async (redis) => {
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always']);
    expect(await redis.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    await redis.set('unit', '1');
  });
  await server.kill('SIGKILL');
  expect(isRunning(first)).toBe(false);
  expect(() => server.pid()).toThrow('not running');
  await expect(withRedis(server.url, (redis) => redis.ping())).rejects.toThrow();
  await server.start();
  expect(server.pid()).not.toBe(first);
  expect(await withRedis(server.url, (redis) => redis.get('unit'))).toBe('1');
  await server.close();
  expect(existsSync(server.dir)).toBe(false);
});

test('a paused server answers nothing until it goes on, and stops even while it is paused', async () => {
  const server = closedAfterTest(await startRedis(options));
  await server.kill('SIGSTOP');
  await expect(withRedis(server.url, (redis) => redis.ping())).rejects.toThrow();
  await server.kill('SIGCONT');
  expect(await withRedis(server.url, (redis) => redis.ping())).toBe('PONG');
  const pid = server.pid();
  await server.kill('SIGSTOP');
  await server.stop();
  expect(isRunning(pid)).toBe(false);
});

test('Redis starts in less than 150 ms', async () => {
  // Unless the machine does other things at that moment.
  await eventually(async () => {
    const startMs = performance.now();
    const server = await startRedis(options);
    const tookMs = performance.now() - startMs;
    await server.close();
    expect(tookMs).toBeLessThan(150);
  });
});

test('MariaDB starts strict and in UTC, and keeps its data over kill -9 on the same port', async () => {
  const server = closedAfterTest(await startMariadb(options, { dir: join(folder, 'mariadb') }));
  const connection = await createConnection(server.url);
  const [[settings]] = (await connection.query('SELECT @@sql_mode AS mode, @@time_zone AS zone')) as unknown as [
    { mode: string; zone: string }[],
  ];
  expect(settings?.mode).toContain('STRICT_TRANS_TABLES');
  expect(settings?.zone).toBe('+00:00');
  await connection.query('CREATE DATABASE kept');
  await connection.query('CREATE TABLE kept.units (id INT PRIMARY KEY) ENGINE=InnoDB');
  await connection.query('INSERT INTO kept.units VALUES (7)');
  connection.destroy();
  await server.kill('SIGKILL');
  await server.start();
  const again = await createConnection(server.url);
  const [rows] = await again.query('SELECT id FROM kept.units');
  expect(rows).toEqual([{ id: 7 }]);
  again.destroy();
  await server.close();
  expect(existsSync(join(folder, 'mariadb', 'data')), 'a folder that the caller named is kept').toBe(true);
});

test('Kafka keeps its identity and comes back on the same port over kill -9', async () => {
  const server = closedAfterTest(await startKafka(options, { dir: join(folder, 'kafka') }));
  await server.kill('SIGKILL');
  await expect(describeKafka(server.brokers)).rejects.toThrow();
  await server.start();
  expect(await describeKafka(server.brokers)).toEqual({ clusterId: server.clusterId, brokers: 1 });
  await server.close();
  // Another run on the same folder: ports of its own, the same data.
  const next = closedAfterTest(await startKafka(options, { dir: join(folder, 'kafka') }));
  expect(next.port).not.toBe(server.port);
  expect(await describeKafka(next.brokers)).toEqual({ clusterId: server.clusterId, brokers: 1 });
}, 240_000);

const luaConfiguration = (nginx: NginxBinary, { dir, port }: { dir: string; port: number }): string => `
${mainDirectives(nginx).join('\n')}
daemon off;
worker_processes 2;
pid "${join(dir, 'nginx.pid')}";
events {}
http {
  access_log off;
  ${temporaryPaths(dir).join('\n  ')}
  lua_package_path "${nginx.luaPackagePath}";
  server {
    listen 127.0.0.1:${port};
    location / { content_by_lua_block { ngx.say(ngx.worker.count(), " workers by ", _VERSION) } }
  }
}
`;

test('nginx starts with Lua, and a kill ends its workers too', async () => {
  const server = closedAfterTest(await startNginx(options, { config: luaConfiguration }));
  expect(await (await fetch(server.url)).text()).toBe('2 workers by Lua 5.1\n');
  await server.kill('SIGKILL');
  await eventually(() => expect(fetch(server.url)).rejects.toThrow());
  await server.start();
  expect((await fetch(server.url)).status).toBe(200);
});

test('a server that dies while it starts is reported with the end of its log', async () => {
  await expect(startRedis(options, { config: { maxmemory: 'nonsense' } })).rejects.toThrow(
    /redis ended at once \(exit code 1\)[\s\S]*FATAL CONFIG FILE ERROR/,
  );
});

test("somebody else's server on our port is never taken for ours", async () => {
  const redis = closedAfterTest(await startRedis(options));
  const ourRedis = await prepareRedis(await findRedis(options), { dir: join(folder, 'r'), port: redis.port });
  await expect(redisReady(ourRedis, soon())).rejects.toThrow(`a Redis that works in ${realpathSync(redis.dir)}`);

  const mysqlPort = Number(new URL(database.url).port);
  const ourMariadb = await prepareMariadb(await findMariadb(options), { dir: join(folder, 'm'), port: mysqlPort });
  await expect(mariadbReady(ourMariadb, soon())).rejects.toThrow('another server answers on the port');

  const kafkaPort = Number(kafka.brokers[0]?.split(':')[1]);
  const ourKafka = await prepareKafka(await findKafka(options), { dir: join(folder, 'k'), port: kafkaPort });
  await expect(kafkaReady(ourKafka, soon())).rejects.toThrow('another server answers on the port');
});

test('starting on a port that is taken fails instead of answering for the other', async () => {
  const other = closedAfterTest(await startRedis(options));
  await expect(startRedis(options, { port: other.port })).rejects.toThrow('redis');
  expect(await withRedis(other.url, (redis) => redis.ping())).toBe('PONG');
});

test('a port that is taken is not called free', async () => {
  const port = await freePort();
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void holder.close());
  const others = await Promise.all(Array.from({ length: 50 }, freePort));
  expect(others).not.toContain(port);
});
