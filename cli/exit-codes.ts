/**
 * Exit codes of every command; docs/cli.md tells people the same.
 * `NO`: the command did its work, and its answer is no: a sale that is not exact, buyers without a definite answer.
 */
export const EXIT_CODES = { OK: 0, FAILED: 1, USAGE: 2, NO: 3, INTERRUPTED: 130 } as const;
