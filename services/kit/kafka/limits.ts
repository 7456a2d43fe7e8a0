import assert from 'node:assert/strict';
import { KAFKA_SEND_MAX_MESSAGES_PER_PARTITION } from '../../domain/limits.ts';

/** How long one connection attempt may take. */
export const CONNECTION_TIMEOUT_MS = 2_000;
/**
 * How long one request may take. A broker that pauses for some seconds is waited for: giving up earlier would only
 * send the same batch twice.
 */
export const REQUEST_TIMEOUT_MS = 15_000;
/** Between two attempts, at first and at most. */
export const RETRY_FIRST_MS = 100;
export const RETRY_LONGEST_MS = 1_000;

/** Messages of one request. All may be for one partition, so that this also bounds a partition's. */
export const SEND_MAX_MESSAGES = KAFKA_SEND_MAX_MESSAGES_PER_PARTITION;
/** Attempts of the library at reaching a broker, and at one send. Both are few: our own loops come again. */
export const CLUSTER_RETRIES_MAX = 3;
export const SEND_RETRIES_MAX = 6;
/** A send, with the connection that it may need first, that has no answer by then has an unknown outcome. */
export const SEND_DEADLINE_MS = 25_000;
/** Sends that wait for their turn. */
export const SENDS_WAITING_MAX = 64;

/**
 * A member that was not heard of for so long loses its partitions. A group waits as long for a member that died with
 * its broker away, when it could not say good-bye.
 */
export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 30_000;
export const HEARTBEAT_INTERVAL_MS = 1_000;
/** How long a fetch waits for messages. A stop waits for the fetch. */
export const FETCH_MAX_WAIT_MS = 250;
export const FETCH_MAX_BYTES = 8 * 1024 * 1024;
export const FETCH_MAX_BYTES_PER_PARTITION = 1024 * 1024;
/**
 * Attempts of the library at reaching a broker, joining, fetching and committing. Many, because a member that outlasts
 * an outage is still a member afterwards; the watchdog decides when it is enough.
 */
export const CONSUMER_RETRIES_MAX = 60;
/** Before a rejected chunk comes again, at first and at most. */
export const CHUNK_RETRY_FIRST_MS = 100;
export const CHUNK_RETRY_LONGEST_MS = 5_000;

/** How often the watchdog looks. */
export const WATCHDOG_INTERVAL_MS = 1_000;
/** A consumer that neither fetched nor handled anything for so long has stopped without saying so. */
export const WATCHDOG_SILENCE_MS = 20_000;
/** A consumer that fetches, but did not get on for so long while there is lag, is stuck. */
export const WATCHDOG_NO_PROGRESS_MS = 30_000;
/** Between two beginnings. */
export const RESTART_FIRST_MS = 250;
export const RESTART_LONGEST_MS = 5_000;

/** A question to the cluster is asked so often, each time waiting so long. */
export const ADMIN_RETRIES_MAX = 3;
export const ADMIN_REQUEST_TIMEOUT_MS = 5_000;
/** How long a new topic may be without leaders. */
export const ADMIN_LEADERS_TIMEOUT_MS = 10_000;

/** The library's same sentence is logged again after so long. */
export const LOG_REPEAT_MS = 10_000;
export const LOG_SENTENCES_MAX = 100;

/** A stop waits so long for brokers to answer, then leaves without them. */
export const CLOSE_PATIENCE_MS = 800;
/** A stop waits so long for a handler that is at work. */
export const STOP_PATIENCE_MS = 5_000;

assert(SEND_DEADLINE_MS > REQUEST_TIMEOUT_MS, 'a send must outlast one slow answer');
assert(HEARTBEAT_INTERVAL_MS * 3 <= SESSION_TIMEOUT_MS, 'a session must survive two lost heartbeats');
assert(FETCH_MAX_WAIT_MS < CLOSE_PATIENCE_MS, 'a stop must be able to wait for a fetch');
assert(WATCHDOG_SILENCE_MS > REQUEST_TIMEOUT_MS, 'the watchdog must not end what a slow broker will still answer');
assert(CHUNK_RETRY_LONGEST_MS < SESSION_TIMEOUT_MS, 'a chunk must come again within a session');
