import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';

const servers = join(import.meta.dirname, '../../tools/servers');

const program = `
import { serverOptions } from '${servers}/options.ts';
import { startRedis } from '${servers}/redis.ts';
import { startMariadb } from '${servers}/mariadb.ts';
const options = serverOptions(process.env);
const pids = [(await startRedis(options)).pid(), (await startMariadb(options)).pid()];
console.log(JSON.stringify(pids));
setInterval(() => {}, 1000);
`;

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.skipIf(process.platform !== 'linux').each(['SIGKILL', 'SIGTERM'] as const)(
  'the servers of a process end with it when it gets %s',
  async (signal) => {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await createInterface(child.stdout)[Symbol.asyncIterator]().next()).value?.match(/.+/) ?? [];
    const pids = JSON.parse(line ?? '[]') as number[];
    onTestFinished(() => {
      for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL');
    });
    expect(pids.filter(isRunning)).toHaveLength(2);
    child.kill(signal);
    await eventually(() => expect(pids.filter(isRunning)).toEqual([]));
  },
);
