/** Bounds of the command line; those of the generator stand in cli/load/limits.ts. */

/** A plain progress line is written at most this often. */
export const PROGRESS_LINE_EVERY_MS = 2_000;
/** How long "seckill migrate" waits for a database that is away, and how often it asks. */
export const MIGRATE_WAIT_SECONDS = 120;
export const MIGRATE_WAIT_MAX_SECONDS = 3_600;
export const MIGRATE_RETRY_MS = 1_000;
/** Tokens that one command mints. */
export const TOKENS_MAX = 1_000_000;
/** Questions for a permission that are asked at the same time. */
export const REVIEWS_AT_ONCE_MAX = 8;
/** How long a command waits for one answer of the platform. */
export const ANSWER_MAX_MS = 5_000;
