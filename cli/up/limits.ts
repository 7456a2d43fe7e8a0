/** Bounds of `seckill up`. */

/** How long everything may take from its start until it serves; fetching what is missing comes before. */
export const START_TIMEOUT_MS = 90_000;
export const READY_POLL_MS = 50;
export const SERVER_PROBE_INTERVAL_MS = 10_000;
/** How long a process of ours may take to stop. */
export const SERVICE_STOP_TIMEOUT_MS = 16_000;
export const TOPIC_ATTEMPTS_MAX = 20;
export const TOPIC_RETRY_MS = 250;
/** How often the notices are looked at for the timeline. */
export const TIMELINE_POLL_MS = 250;

export const OPERATORS_MAX = 5;
export const RELAYS_MAX = 8;
export const ORDERS_MAX = 8;
export const EDGE_WORKERS = 1;
/** Where buyers come in, unless said otherwise or taken. */
export const SALE_PORT_DEFAULT = 8_080;
