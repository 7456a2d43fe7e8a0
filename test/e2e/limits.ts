/** The bounds of the run on a real cluster. */

/** Helm waits for every pod of the release, and for the Job of the migrations before them. */
export const INSTALL_TIMEOUT_SECONDS = 480;
export const UNINSTALL_TIMEOUT_SECONDS = 300;
export const COMMAND_TIMEOUT_MS = 540_000;
export const SERVERS_READY_TIMEOUT_MS = 240_000;
export const SETTLED_TIMEOUT_MS = 240_000;
export const PODS_GONE_TIMEOUT_MS = 240_000;
export const ENDED_TIMEOUT_MS = 180_000;
export const POLL_INTERVAL_MS = 500;

/** From `kubectl apply` to the opening second. How long the installation took is added. */
export const LEAD_LEAST_SECONDS = 24;
export const LEAD_MOST_SECONDS = 120;
/** From the announcement: long enough for every phase to be seen. */
export const PREHEAT_AFTER_SECONDS = 5;
export const PRESCALE_AFTER_SECONDS = 9;
export const WINDOW_SECONDS = 60;
export const BUYERS = 2_000;

/** What is quoted of a command's output when a step fails. */
export const QUOTE_MAX_CHARS = 8_000;

/** Enough for the autoscaler to see two pods too busy; they come again until it has acted. */
export const BUSY_RATE_PER_SECOND = 200;
export const BUSY_BUYERS = 2_000;
/** More than all who come, whatever the time they need. */
export const BUSY_UNITS = 100_000;
/** Few enough to be answered in time while a dozen processes start on the same two processors. */
export const CALM_RATE_PER_SECOND = 20;
export const CALM_BUYERS = 200;
export const OPEN_TIMEOUT_MS = 180_000;
export const SCALED_TIMEOUT_MS = 240_000;
export const REPLACED_TIMEOUT_MS = 240_000;

/** Moments of a start at which its command is killed: while the namespaces are made, the API server starts, the node. */
export const KILL_AFTER_MS = [500, 1_500, 4_000] as const;

/** How often the connections of the pods are looked at. */
export const SAMPLE_INTERVAL_MS = 1_000;
