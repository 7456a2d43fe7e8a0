/** The bounds of the run on a real cluster. */

/** Helm waits for every pod of the release, and for the Job of the migrations before them. */
export const INSTALL_TIMEOUT_SECONDS = 240;
export const UNINSTALL_TIMEOUT_SECONDS = 180;
export const COMMAND_TIMEOUT_MS = 300_000;
export const SERVERS_READY_TIMEOUT_MS = 120_000;
export const SETTLED_TIMEOUT_MS = 240_000;
export const PODS_GONE_TIMEOUT_MS = 240_000;
export const ENDED_TIMEOUT_MS = 60_000;
export const POLL_INTERVAL_MS = 500;

/** From `kubectl apply` to the opening second: preheat, checks and four pods fit into it on two busy cores. */
export const LEAD_SECONDS = 75;
export const PREHEAT_SECONDS = 60;
export const PRESCALE_SECONDS = 45;
export const WINDOW_SECONDS = 45;
export const BUYERS = 2_000;

/** What is quoted of a command's output when a step fails. */
export const QUOTE_MAX_CHARS = 8_000;
