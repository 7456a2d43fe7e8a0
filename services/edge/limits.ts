import assert from 'node:assert/strict';
import { ATTEMPT_WAIT_MAX_MS, RESERVE_ANSWER_MS } from '../domain/limits.ts';
import { KEEP_ALIVE_TIMEOUT_MS, STOP_DEADLINE_MS } from '../kit/limits.ts';

/** The bounds of the edge's nginx. */
export const EDGE_LIMITS = {
  bodyMaxBytes: 1_024,
  connectionsPerWorkerMax: 16_384,

  clientHeaderTimeoutMs: 5_000,
  clientBodyTimeoutMs: 5_000,
  clientIdleTimeoutMs: 60_000,
  clientSendTimeoutMs: 10_000,

  upstreamConnectTimeoutMs: 500,
  /** A pod answers, if only "unknown", long before this. */
  upstreamReadTimeoutMs: 5_000,
  /** Peers that one request is brought to, and how long it is still brought to another one. */
  upstreamTriesMax: 3,
  upstreamTriesTimeoutMs: 3_000,
  /** Idle connections to pods that one worker keeps, and for how long. */
  upstreamIdleConnectionsMax: 256,
  upstreamIdleTimeoutMs: 60_000,

  /**
   * How old a connection may get where pods and edges come and go: its next request is its last. An address that was
   * given to another pod, and buyers that all hang on the first edge, are both forgotten by then.
   */
  clientConnectionAgeMaxMs: 300_000,
  upstreamConnectionAgeMaxMs: 60_000,

  /** How often a worker looks whether the file of routes has changed. */
  routesPollMs: 250,
  routesFileMaxBytes: 1_048_576,

  /** Retry-After when there is nobody to ask. */
  unavailableRetryAfterSeconds: 1,
} as const;

/** The bounds of the edge's agent, which follows the operator's table in a cluster. */
export const AGENT_LIMITS = {
  tablePollMs: 1_000,
  tableTimeoutMs: 2_000,
  tableMaxBytes: 1_048_576,

  resolveEveryMs: 1_000,
  lookupTimeoutMs: 500,
  lookupTriesMax: 2,
  /** Names that are looked up at the same time. */
  lookupsAtOnceMax: 64,
  /** How many answers in a row must say "no pods" before the last good one is given up. */
  emptyAnswersMax: 3,
  addressesPerNameMax: 1_024,

  statusTimeoutMs: 1_000,
  /** Lines of nginx's error log that are passed on in one second; the others are counted. */
  logLinesPerSecondMax: 20,
  logLineMaxChars: 2_000,

  /** From the first word of the stop until nginx takes no more connections: each answer ends its connection meanwhile. */
  leaveMs: 2_000,
} as const;

assert(
  EDGE_LIMITS.upstreamReadTimeoutMs > RESERVE_ANSWER_MS + ATTEMPT_WAIT_MAX_MS,
  'the edge must not give up before a pod does',
);
assert(
  AGENT_LIMITS.leaveMs + EDGE_LIMITS.upstreamReadTimeoutMs < STOP_DEADLINE_MS,
  'an edge that stops must have time left to bring its last requests to their pods',
);
assert(AGENT_LIMITS.leaveMs > 2 * EDGE_LIMITS.routesPollMs, 'every worker must hear of the stop before it comes');
assert(
  EDGE_LIMITS.upstreamIdleTimeoutMs < KEEP_ALIVE_TIMEOUT_MS,
  'an idle connection must be closed by the edge, not by the pod',
);
