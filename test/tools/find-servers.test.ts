import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debianParts, serverSet } from '../../tools/servers/debian.ts';
import { findKafka } from '../../tools/servers/kafka.ts';
import { findMariadb } from '../../tools/servers/mariadb.ts';
import { findNginx } from '../../tools/servers/nginx.ts';
import { type ServerOptions, serverOptions } from '../../tools/servers/options.ts';
import { findRedis } from '../../tools/servers/redis.ts';
import { resolveServers } from '../../tools/servers/resolve.ts';
import { eventually } from '../support/eventually.ts';
import { ownRedis } from '../support/redis.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();
const redis = ownRedis();

const silent = () => {};
/** The options of somebody who named nothing and whose PATH has nothing of ours. */
const plain: ServerOptions = {
  ...serverOptions({ HOME: process.env['HOME'], XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] }, silent),
};

/** A program of that name that runs a line of shell, in a folder of its own. */
const programFolder = (name: string, line: string): string => {
  const bin = join(folder, `bin-${name}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(bin);
  writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
  chmodSync(join(bin, name), 0o755);
  return bin;
};

const withPath = (...folders: string[]): ServerOptions => ({ ...plain, searchPath: [...folders, ...plain.searchPath] });

test('what the environment names is read, and empty variables name nothing', () => {
  const options = serverOptions({
    SECKILL_REDIS_URL: 'redis://h:1',
    SECKILL_MYSQL_SERVER: ' ',
    SECKILL_KAFKA_BROKERS: 'a:1, b:2,',
    PATH: '/one:relative:/two',
  });
  expect(options).toMatchObject({ redisUrl: 'redis://h:1', kafkaBrokers: ['a:1', 'b:2'] });
  expect(options).not.toHaveProperty('mysqlServer');
  expect(options.searchPath.slice(0, 2)).toEqual(['/one', '/two']);
  expect(options.searchPath).toContain('/usr/sbin');
});

test('a program that the user names comes before PATH', async () => {
  const onPath = programFolder('redis-server', 'echo Redis server v=9.9.9');
  const named = join(programFolder('my-redis', 'echo Redis server v=7.2.5'), 'my-redis');
  const found = await findRedis({ ...withPath(onPath), redisServer: named });
  expect(found).toMatchObject({ path: named, from: 'named', version: '7.2.5' });
});

test('a program on PATH comes before the cache', async () => {
  const newer = programFolder('redis-server', 'echo Redis server v=9.9.9');
  expect(await findRedis(withPath(newer))).toMatchObject({ from: 'path', version: '9.9.9' });
  const mysql = programFolder('mysqld', 'echo "mysqld  Ver 8.4.2 for Linux on x86_64 (MySQL Community Server)"');
  const named = { ...plain, mysqlServer: join(mysql, 'mysqld') };
  expect(await findMariadb(named)).toMatchObject({ from: 'named', version: '8.4.2', product: 'mysql' });
});

test('a program on PATH that is too old or lacks Lua is passed over', async () => {
  const old = programFolder('redis-server', 'echo Redis server v=6.0.16');
  expect((await findRedis(withPath(old))).path).not.toContain(old);
  const withoutLua = programFolder(
    'nginx',
    '[ "$1" = -V ] && echo "nginx version: nginx/1.27.0" >&2 && exit 0; exit 1',
  );
  const nginx = await findNginx(withPath(withoutLua));
  expect(nginx.path).not.toContain(withoutLua);
  expect(nginx.version).toMatch(/^\d+\.\d+/);
});

test.each([
  ['SECKILL_REDIS_SERVER', { redisServer: '/no/such' }, findRedis],
  ['SECKILL_MYSQL_SERVER', { mysqlServer: '/bin/true' }, findMariadb],
  ['SECKILL_NGINX', { nginxBinary: '/bin/true' }, findNginx],
  ['SECKILL_KAFKA_HOME', { kafkaHome: '/usr' }, findKafka],
] as const)('a wrong %s is an error that names it, never replaced by another server', async (variable, wrong, find) => {
  await expect(find({ ...plain, ...wrong })).rejects.toThrow(variable);
});

test('a machine without apt is told what to install', async () => {
  const cacheFolder = join(folder, 'empty-cache');
  await expect(debianParts({ cacheFolder, searchPath: [], report: silent }, serverSet)).rejects.toThrow(
    /no apt-get, dpkg, ldd to fetch them with: install Redis 7 or later, MariaDB/,
  );
});

test('missing Java, too old Java and missing Maven are each told with the remedy', async () => {
  const cacheFolder = () => join(folder, 'empty-cache');
  const nothing = { ...plain, searchPath: [], cacheFolder };
  await expect(findKafka(nothing)).rejects.toThrow(/needs Java, and there is none on PATH: install Java 17/);
  const java11 = programFolder('java', `echo 'openjdk version "11.0.2"' >&2`);
  await expect(findKafka({ ...nothing, searchPath: [java11] })).rejects.toThrow(/java is version 11: install Java 17/);
  const java21 = programFolder('java', `echo 'openjdk version "21.0.2"' >&2`);
  await expect(findKafka({ ...nothing, searchPath: [java21] })).rejects.toThrow(/no Maven to fetch it with: install/);
});

test("Maven gets the user's MAVEN_OPTS beside ours, for a proxy may stand there", async () => {
  // It succeeds: one that fails is called again after pauses.
  const told = join(folder, 'maven-options');
  const searchPath = [
    programFolder('java', `echo 'openjdk version "21.0.2"' >&2`),
    programFolder('mvn', `echo "$MAVEN_OPTS" >"${told}"; exec /bin/mkdir repository`),
  ];
  const named = serverOptions({ HOME: folder, MAVEN_OPTS: '-Dhttps.proxyHost=proxy' }, silent);
  const options = { ...named, searchPath, cacheFolder: () => join(folder, 'maven-cache') };
  expect(await findKafka(options)).toMatchObject({ from: 'cache' });
  expect(readFileSync(told, 'utf8')).toBe('-XX:-UsePerfData -Dhttps.proxyHost=proxy\n');
});

test('without HOME, or with a cache that cannot be written, the remedy is said', async () => {
  const noHome = serverOptions({ PATH: '/usr/bin' }, silent);
  expect(() => noHome.cacheFolder()).toThrow('set HOME or XDG_CACHE_HOME');
  writeFileSync(join(folder, 'a-file'), '');
  const unwritable = serverOptions({ XDG_CACHE_HOME: join(folder, 'a-file') }, silent);
  await expect(unwritable.debian()).rejects.toThrow(/cannot be written .*set XDG_CACHE_HOME/);
});

test('a server that runs already is used if it answers, and named if it does not', async () => {
  const [found] = await resolveServers({ ...plain, redisUrl: redis.url });
  expect(found).toMatchObject({ server: 'Redis', from: 'url', where: redis.url });
  const [silentOne] = await resolveServers({ ...plain, redisUrl: 'redis://:secret@127.0.0.1:1' });
  expect(silentOne).toMatchObject({
    missing: expect.stringContaining('SECKILL_REDIS_URL names a server that does not'),
  });
  expect(JSON.stringify(silentOne)).not.toContain('secret');
});

test('everything that was fetched once is found again within 300 ms', async () => {
  // Unless the machine does other things at that moment.
  await eventually(async () => {
    const startMs = performance.now();
    const rows = await resolveServers(serverOptions(process.env, silent));
    expect(performance.now() - startMs).toBeLessThan(300);
    expect(rows.filter((row) => 'missing' in row)).toEqual([]);
  });
});
