const REPEAT_MS = 5_000;

/** Says what is being done at its beginning, every five seconds while it goes on, and at its end. */
export const withProgress = async <T>(
  report: (line: string) => void,
  what: string,
  note: string,
  work: () => Promise<T>,
): Promise<T> => {
  const startMs = performance.now();
  const seconds = () => `${((performance.now() - startMs) / 1000).toFixed(0)} s`;
  report(`${what} (${note}) …`);
  const timer = setInterval(() => report(`still ${what}: ${seconds()}`), REPEAT_MS);
  try {
    const answer = await work();
    report(`done ${what}: ${seconds()}`);
    return answer;
  } finally {
    clearInterval(timer);
  }
};
