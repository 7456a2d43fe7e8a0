/** Bounds of `seckill watch`. */

/** How often the screen is made anew. */
export const WATCH_INTERVAL_MS = 1_000;
/** How long Prometheus may take to answer; the screen shows what it knows without it. */
export const QUERY_TIMEOUT_MS = 800;
/** Rates are of this stretch of time: long enough for some scrapes, short enough for a sale of seconds. */
export const RATE_SECONDS = 10;
/** The peak is the highest of this stretch of time. */
export const PEAK_MINUTES = 10;
/** An audit that is older is shown as such, long before it is an alert. */
export const AUDIT_OLD_SECONDS = 15;
/** Width of the bar of the stock, in characters. */
export const STOCK_BAR_CHARS = 40;
