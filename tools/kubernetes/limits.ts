/** The bounds of making, starting and stopping a Kubernetes. Everything that can hang has one. */

/** A cold build compiles some 3,000 packages and links one large binary: minutes on two cores, more on a busy machine. */
export const GO_BUILD_TIMEOUT_MS = 2_400_000;
export const NPM_PACK_TIMEOUT_MS = 180_000;
/** How long one process waits for another that is making the same thing. */
export const LOCK_WAIT_TIMEOUT_MS = 2_400_000;
export const LOCK_POLL_INTERVAL_MS = 500;

export const CERTIFICATE_TIMEOUT_MS = 120_000;
export const CERTIFICATE_DAYS = 3_650;

/** How long a part may take from its start until it answers. */
export const ETCD_READY_TIMEOUT_MS = 120_000;
export const APISERVER_READY_TIMEOUT_MS = 120_000;
export const CONTROLLERS_READY_TIMEOUT_MS = 120_000;

/** How long a part may take to stop before it is killed. What it would still write is thrown away with its folder. */
export const PART_STOP_TIMEOUT_MS = 3_000;

/** One request to the API server. */
export const API_REQUEST_TIMEOUT_MS = 30_000;
