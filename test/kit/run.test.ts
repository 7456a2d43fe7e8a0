import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir();
const seckillMain = new URL('../../services/seckill/main.ts', import.meta.url).pathname;
const process_ = new URL('./process.ts', import.meta.url).pathname;

async function run(script: string, env: Record<string, string>, onLine?: (line: string, pid: number) => void) {
  const child = spawn(process.execPath, [script], { env: { PATH: process.env['PATH'], ...env } });
  const pid = child.pid ?? 0;
  child.stdout.on('data', (chunk: Buffer) => onLine?.(String(chunk), pid));
  const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, code: code as number | null, signal: signal as NodeJS.Signals | null };
}

describe('a process', () => {
  it('with a wrong configuration says so in a sentence for each variable and exits with 2', async () => {
    const { err, out, code } = await run(seckillMain, { SECKILL_PORT: '-1' });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/^seckill seckill: SECKILL_PORT must be .*\.$/),
      expect.stringMatching(/^seckill seckill: SECKILL_REDIS_URL is missing: .*\.$/),
      expect.stringMatching(/^seckill seckill: SECKILL_TOKEN_KEYS_FILE is missing: .*\.$/),
    ]);
  });

  it('with an unknown fault point, or key files that are none, exits with 2 and shows no key', async () => {
    const good = { SECKILL_REDIS_URL: 'redis://127.0.0.1:1', SECKILL_TOKEN_KEYS_FILE: join(folder, 'keys.json') };
    const unknown = await run(seckillMain, { ...good, SECKILL_FAULT: 'seckill.nowhere' });
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('SECKILL_FAULT must be')]);
    const missing = await run(seckillMain, good);
    expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('cannot be read')]);
    for (const [content, why] of [
      ['{"keys": swordfish', 'is not JSON'],
      ['{}', 'must hold'],
      ['{"current":"k1","keys":{"k1":"c3dvcmRmaXNo"}}', 'less than 32 bytes'],
      [`{"current":"k2","keys":{"k1":"${Buffer.alloc(32).toString('base64')}"}}`, 'no such key'],
    ] as const) {
      writeFileSync(good.SECKILL_TOKEN_KEYS_FILE, content);
      const broken = await run(seckillMain, good);
      expect([broken.code, broken.err]).toEqual([2, expect.stringContaining(why)]);
      expect(broken.err + broken.out).not.toMatch(/swordfish|c3dvcmRmaXNo/);
    }
  });

  it('told to stop, stops and exits with 0', async () => {
    const { out, code } = await run(process_, {}, (line, pid) => {
      if (line.includes('"started"')) process.kill(pid, 'SIGTERM');
    });
    expect(code).toBe(0);
    expect(out).toContain('the work is done');
    expect(out).toContain('"stopped"');
  });

  it.each(['assertion', 'rejection', 'exception'])(
    'whose invariant breaks by an %s says so and exits with 1',
    async (how) => {
      const { out, code } = await run(process_, { BREAK: how });
      expect(code).toBe(1);
      expect(out).toContain('the process is broken');
      expect(out).not.toContain('the work is done');
    },
  );

  it('that cannot start says why and exits with 1', async () => {
    const { out, code } = await run(process_, { BREAK: 'start' });
    expect([code, out]).toEqual([1, expect.stringContaining('the process did not start')]);
  });

  it('dies at its fault point at the named pass, once', async () => {
    const marker = join(folder, 'marker');
    const fault = { SECKILL_FAULT: 'seckill.before-reserve@3', SECKILL_FAULT_MARKER: marker, PASSES: '5' };
    const dying = await run(process_, fault);
    expect(dying.signal).toBe('SIGKILL');
    expect(dying.out.match(/"passing"/g)).toHaveLength(3);
    expect(existsSync(marker)).toBe(true);
    const next = await run(process_, fault, (line, pid) => {
      if (line.includes('"started"')) process.kill(pid, 'SIGTERM');
    });
    expect([next.code, next.out.match(/"passing"/g)?.length]).toEqual([0, 5]);
  });
});
