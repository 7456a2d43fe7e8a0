import type { Command } from 'commander';
import { vi } from 'vitest';
import { failureOf } from '../../cli/failure.ts';

export interface Outcome {
  code: number;
  said: string;
  complained: string;
}

/**
 * Runs a command as main.ts does, in this process: one of its own takes a second to start. One at a time, because what is
 * written is caught by the streams of the process.
 */
export async function runHere(command: Command, args: readonly string[]): Promise<Outcome> {
  let [said, complained] = ['', ''];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      complained += String(text);
      return true;
    }),
  ];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await command.exitOverride().parseAsync(args, { from: 'user' });
    return { code: Number(process.exitCode), said, complained };
  } catch (error) {
    const { code, sentence = '' } = failureOf(error);
    return { code, said, complained: complained + sentence };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
