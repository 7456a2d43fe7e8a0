import { messageOf } from '../../tools/servers/errors.ts';

export interface Steps {
  /**
   * One thing that must hold. The lines it answers are quoted below its name. After a step that failed the others are
   * skipped: they build on one another.
   */
  step(name: string, work: () => Promise<string | undefined>): Promise<void>;
  /** A step that is done in any case, such as cleaning up. */
  always(name: string, work: () => Promise<string | undefined>): Promise<void>;
  failed(): boolean;
  /** `N passed, N failed, N skipped` */
  summary(): string;
}

const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, '    ');

export const createSteps = (print: (line: string) => void): Steps => {
  const startMs = performance.now();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;

  const always = async (name: string, work: () => Promise<string | undefined>): Promise<void> => {
    const stepMs = performance.now();
    try {
      const quote = await work();
      counts.passed += 1;
      print(`ok   ${name} (${seconds(stepMs)}, after ${seconds(startMs)})`);
      if (quote !== undefined && quote !== '') print(indented(quote));
    } catch (error) {
      counts.failed += 1;
      print(`FAIL ${name} (${seconds(stepMs)}, after ${seconds(startMs)})`);
      print(indented(messageOf(error)));
    }
  };

  return {
    always,
    step: async (name, work) => {
      if (counts.failed === 0) return always(name, work);
      counts.skipped += 1;
      print(`skip ${name}: a step before it failed`);
    },
    failed: () => counts.failed > 0,
    summary: () => `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`,
  };
};
