import assert from 'node:assert/strict';
import { ATTEMPT_WAIT_MAX_MS, RESERVE_ANSWER_MS } from '../domain/limits.ts';
import { KEEP_ALIVE_TIMEOUT_MS } from '../kit/limits.ts';

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

  /** How often a worker looks whether the file of routes has changed. */
  routesPollMs: 250,
  routesFileMaxBytes: 1_048_576,

  /** Retry-After when there is nobody to ask. */
  unavailableRetryAfterSeconds: 1,
} as const;

assert(
  EDGE_LIMITS.upstreamReadTimeoutMs > RESERVE_ANSWER_MS + ATTEMPT_WAIT_MAX_MS,
  'the edge must not give up before a pod does',
);
assert(
  EDGE_LIMITS.upstreamIdleTimeoutMs < KEEP_ALIVE_TIMEOUT_MS,
  'an idle connection must be closed by the edge, not by the pod',
);
