/** What the probes ask. A process is ready when everything it named is ready; nothing named yet means "starting". */
export interface Health {
  live(): boolean;
  ready(): { ready: boolean; reasons: string[] };
  /** `name` is what the process depends on; `reason` says in words why it is not ready. */
  setReady(name: string, ready: boolean, reason?: string): void;
}

export function createHealth(): Health {
  const problems = new Map<string, string | undefined>();

  function reasons(): string[] {
    if (problems.size === 0) return ['the process is starting'];
    return [...problems].flatMap(([name, reason]) => (reason === undefined ? [] : [`${name}: ${reason}`]));
  }

  return {
    // A process that can answer at all is alive: broken invariants end it, they do not make it linger.
    live: () => true,
    ready() {
      const found = reasons();
      return { ready: found.length === 0, reasons: found };
    },
    setReady(name, ready, reason = 'not ready') {
      problems.set(name, ready ? undefined : reason);
    },
  };
}
