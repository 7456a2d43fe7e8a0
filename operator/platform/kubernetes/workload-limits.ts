/** Bounds of the pools of pods. */

/** How often the file of pool settings is looked at. */
export const POOL_SETTINGS_POLL_MS = 1_000;
/** A pod that has a node and is not ready for longer than this is called a problem. */
export const UNREADY_PATIENCE_MS = 30_000;
/** An autoscaler that cannot measure for longer than this is named; a new pool has no numbers at first. */
export const UNMEASURED_PATIENCE_MS = 90_000;
/** Different problems of a pool that are told, and the length of each. */
export const PROBLEMS_MAX = 5;
export const PROBLEM_MAX_CHARS = 300;
/** Before it looks at any event, a new leader waits for its first sight of all pools, but no longer than this. */
export const FIRST_SIGHT_MS = 5_000;
/** A new Deployment is brought to its floor; others write to it at the same time. */
export const LIFT_ATTEMPTS_MAX = 5;
/** How often it is looked whether the Secret of the token keys is there, and how soon making it is tried again. */
export const TOKEN_SECRET_LOOK_MS = 30_000;
export const TOKEN_SECRET_RETRY_MS = 2_000;
/** How often the readiness of the process follows what the platform says of itself. */
export const HEALTH_POLL_MS = 500;
