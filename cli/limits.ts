/** Bounds of the command line; those of the generator stand in cli/load/limits.ts. */

/** A plain progress line is written at most this often. */
export const PROGRESS_LINE_EVERY_MS = 2_000;
/** Tokens that one command mints. */
export const TOKENS_MAX = 1_000_000;
/** How long a command waits for one answer of the platform. */
export const ANSWER_MAX_MS = 5_000;
