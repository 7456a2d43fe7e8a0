/** Bounds and defaults of the demo. Times in milliseconds. */
export const DEMO_BUYERS_DEFAULT = 20_000;
export const DEMO_UNITS_DEFAULT = 1_000;
export const DEMO_PODS_DEFAULT = 3;
export const DEMO_PODS_MAX = 16;
/** Buyers a second: a rush that two cores can serve while they also are the buyers. */
export const DEMO_RATE_DEFAULT = 4_000;
export const DEMO_CONNECTIONS = 256;

/** From the manifest to the opening second: preheat, pods and checks fit into it on two cores. */
export const OPENING_LEAD_MS = 4_000;
/** A pod more takes that much longer to start. */
export const OPENING_LEAD_PER_POD_MS = 600;
/** The window stays open this much longer than the buyers need to arrive; the demo closes it before. */
export const WINDOW_SPARE_MS = 180_000;

export const ARMED_MAX_MS = 90_000;
/** How long the edge may take to send buyers to pods that are ready. */
export const EDGE_KNOWS_MAX_MS = 15_000;
export const SETTLED_MAX_MS = 120_000;
export const WATCH_EVERY_MS = 100;
/** How long what an earlier demo left running may take to be gone. */
export const LEFTOVER_GONE_MS = 5_000;
/** How often the demo looks at the stock for the report's chart, and how much of it the report keeps at most. */
export const SAMPLE_EVERY_MS = 200;
export const SAMPLES_MAX = 3_000;
/** How long Prometheus may take to have the numbers of the settled sale: some scrapes. */
export const PROMETHEUS_NUMBERS_MAX_MS = 30_000;
export const PROMETHEUS_ANSWER_MAX_MS = 2_000;
export const PROMETHEUS_POLL_MS = 250;
