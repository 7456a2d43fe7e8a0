import assert from 'node:assert/strict';

/** Sizes of the benchmark. All parts together take about three minutes on two cores. */
export const ROUNDS = 5;

/** The purchase route: how long each round lasts, over how many connections, and its warm-up. */
export const ROUTE_ROUND_MS = 2_000;
export const ROUTE_WARM_UP_MS = 2_500;
/** Before a round of refusals, so that the round itself begins with a hint. */
export const HINT_TEACHING_MS = 400;
export const ROUTE_CONNECTIONS = 100;
/** Tokens minted for a round in which each one is used once: more than a core can use up. */
export const ROUTE_FRESH_TOKENS = 80_000;
/** Tokens that are used again and again where nothing is sold by them. */
export const ROUTE_REPEATED_TOKENS = 20_000;

/** The open model: how long, at which share of the maximum. */
export const OPEN_SECONDS = 5;
export const OPEN_SHARE = 0.5;
export const OPEN_CONNECTIONS = 256;

/** The open model with a scrape every second and without: how many rounds of each, and how long each lasts. */
export const SCRAPE_ROUNDS = 5;
export const SCRAPE_ROUND_SECONDS = 3;
export const SCRAPE_INTERVAL_MS = 1_000;

/** The purchase script: attempts of a round, the batch size, and calls on their way at once. */
export const SCRIPT_ATTEMPTS = 20_480;
export const SCRIPT_BATCH_ATTEMPTS = 64;
export const SCRIPT_CALLS_IN_FLIGHT = 32;

/** The relay: messages of a round. */
export const RELAY_MESSAGES = 60_000;
/** The order consumer: rows of a round, and how long the baseline writes row by row. */
export const ORDER_ROWS = 30_000;
export const ROW_BY_ROW_MS = 1_500;

/** The continuous audit: orders of the sales, and how many change between two intervals that are measured. */
export const AUDIT_SALES_ORDERS = [1_000, 10_000, 100_000] as const;
export const AUDIT_CHANGED_ORDERS = 500;
export const AUDIT_ROUNDS = 10;

/** How long a process of the benchmark may take to get ready, and a round to end. */
export const READY_MAX_MS = 30_000;
export const ROUND_MAX_MS = 60_000;
export const POLL_MS = 5;

/** Units on sale: more than all rounds take. */
export const BENCH_UNITS = 10_000_000;
export const BENCH_SALE_MS = 3_600_000;

assert(SCRIPT_ATTEMPTS % SCRIPT_BATCH_ATTEMPTS === 0, 'a round is a whole number of batches');
