/** The bounds of the one-node cluster: starting, asking and stopping it. */

export const NAMESPACE_READY_TIMEOUT_MS = 120_000;
export const CONTAINERD_READY_TIMEOUT_MS = 120_000;
export const NODE_READY_TIMEOUT_MS = 240_000;
export const METRICS_READY_TIMEOUT_MS = 240_000;
export const IMAGE_IMPORT_TIMEOUT_MS = 180_000;
export const POLL_INTERVAL_MS = 100;

/** How long the kernel may take to end what was killed, and to let go of its cgroups. */
export const STOP_TIMEOUT_MS = 20_000;
/** Before what has not ended by itself is killed one by one. */
export const STOP_GRACE_MS = 5_000;

/** What the node offers. */
export const PODS_MAX = 60;
