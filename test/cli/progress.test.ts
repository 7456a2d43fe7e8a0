import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createDisplay, type Display } from '../../cli/progress.ts';

function show(isTTY: boolean): { display: Display; written(): string; hears(): Promise<unknown> } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  let written = '';
  stream.on('data', (chunk: Buffer) => {
    written += chunk.toString();
  });
  return {
    display: createDisplay({ stream: stream as unknown as NodeJS.WriteStream }),
    written: () => written,
    // The bar is drawn again by a timer of its own.
    hears: () => new Promise((resolve) => stream.once('data', resolve)),
  };
}

test('a line takes the place of a drawn bar, which is drawn again below it and left there', async () => {
  const { display, written, hears } = show(true);
  await display.bar('answered', 10, async (update) => {
    update(4, '3 won');
    display.line('phase Open');
    await hears();
  });
  display.line('done');
  const [before = '', after = ''] = written().split('\r\x1b[Kphase Open\n\x1b7');
  expect(before).toContain('0/10');
  expect(after).toContain('4/10 3 won');
  expect(after.endsWith('\ndone\n')).toBe(true);
});

test.each([true, false])('a bar ends with its work, also when that fails (terminal: %s)', async (isTTY) => {
  const { display, written } = show(isTTY);
  const failing = display.bar('answered', 10, async (update) => {
    update(4);
    throw new Error('no connection');
  });
  await expect(failing).rejects.toThrow('no connection');
  // One that goes on would be drawn for ever, and keep the process.
  expect(written()).toMatch(/answered .*4\/10[^\n]*\n$/);
});
