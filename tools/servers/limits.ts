/** The bounds of finding, fetching and starting servers. Everything that can hang has one. */

export const COMMAND_TIMEOUT_MS = 120_000;
export const APT_TIMEOUT_MS = 300_000;
export const MAVEN_TIMEOUT_MS = 600_000;
/** Before the second attempt to fetch something, and before the third, which is the last. */
export const FETCH_PAUSES_MS = [5_000, 20_000] as const;
export const KAFKA_FORMAT_TIMEOUT_MS = 120_000;
export const MARIADB_INSTALL_TIMEOUT_MS = 120_000;

/**
 * How long a server may take from its start until it answers. A restart after a kill may replay a log first, and a busy
 * machine may need a minute for what usually takes a second. One that dies instead is told of at once.
 */
export const REDIS_READY_TIMEOUT_MS = 120_000;
export const MARIADB_READY_TIMEOUT_MS = 120_000;
export const KAFKA_READY_TIMEOUT_MS = 120_000;
export const NGINX_READY_TIMEOUT_MS = 120_000;
export const PROMETHEUS_READY_TIMEOUT_MS = 120_000;

/** How long a server may take to stop before it is killed. */
export const REDIS_STOP_TIMEOUT_MS = 10_000;
export const MARIADB_STOP_TIMEOUT_MS = 20_000;
export const KAFKA_STOP_TIMEOUT_MS = 10_000;
export const NGINX_STOP_TIMEOUT_MS = 5_000;
export const PROMETHEUS_STOP_TIMEOUT_MS = 10_000;

/** One attempt to ask a starting server who it is. */
export const PROBE_TIMEOUT_MS = 2_000;
/** Probing a URL that the user named: no start to wait for, so it answers now or is called unreachable. */
export const NAMED_SERVER_TIMEOUT_MS = 3_000;

/** What is quoted of a log when a server does not start. */
export const LOG_TAIL_BYTES = 2_000;

/** Longest path of a Unix socket that Linux and macOS both take (sun_path, minus the final zero). */
export const SOCKET_PATH_MAX_BYTES = 100;

/** Ports are taken below the kernel's ephemeral range (32768 and up on Linux): no outgoing connection can take them
 *  between the search and the start, nor while a killed server waits for its restart. */
export const PORT_FIRST = 20_000;
export const PORT_LAST = 32_000;
export const PORT_ATTEMPTS = 100;
