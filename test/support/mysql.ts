import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { askForServer } from './shared-servers.ts';

export interface OwnDatabase {
  /** `mysql://user@host:port/name` */
  readonly url: string;
  readonly name: string;
}

const execute = async (url: string, sql: string): Promise<void> => {
  const connection = await createConnection(url);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
};

/**
 * An empty database of this test file (or `describe`) on the server of the whole run, dropped after its tests; or each test
 * has an empty one, its second attempt as well.
 */
export const ownDatabase = (of: 'file' | 'test' = 'file'): OwnDatabase => {
  const [before, after] = of === 'file' ? [beforeAll, afterAll] : [beforeEach, afterEach];
  const name = `seckill_test_${randomBytes(6).toString('hex')}`;
  let server: string | undefined;
  before(async () => {
    server = (await askForServer('/mysql')).url;
    await execute(server, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  });
  after(async () => {
    if (server !== undefined) await execute(server, `DROP DATABASE IF EXISTS ${name}`);
  });
  return {
    name,
    get url() {
      if (server === undefined) throw new Error('ownDatabase() is ready in hooks and tests, not before');
      const url = new URL(server);
      url.pathname = `/${name}`;
      return url.toString();
    },
  };
};
