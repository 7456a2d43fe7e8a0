import { SeckillError } from '../../../services/domain/errors.ts';

/** What an answer of the API means for the one who asked. */
export type KubeFailure =
  /** No answer at all: refused, reset, or too late. What was asked may have happened. */
  | 'unreachable'
  | 'unauthorized'
  | 'forbidden'
  | 'missing'
  | 'conflict'
  /** 410: what was asked for is no longer kept (a resourceVersion, a continue token). */
  | 'expired'
  | 'invalid'
  | 'throttled'
  | 'server';

/** `apply deployments shop/phone-x: 403 Forbidden: …`: the verb, the object and the server's own words. */
export class KubeError extends SeckillError {
  readonly failure: KubeFailure;
  /** 0 when there was no answer. */
  readonly status: number;
  /** The server's reason (`Forbidden`, `AlreadyExists`), or the code of the connection's error. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    what: string,
    answer: { status: number; reason: string; message: string; retryAfterMs?: number | undefined },
    options?: ErrorOptions,
  ) {
    const code = answer.status === 0 ? '' : `${answer.status} `;
    super('SECKILL_ERR_KUBERNETES', `${what}: ${code}${answer.reason}: ${answer.message}`, options);
    this.name = 'KubeError';
    this.failure = failureOf(answer.status);
    this.status = answer.status;
    this.reason = answer.reason;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

export function isKubeError(value: unknown, failure?: KubeFailure): value is KubeError {
  return value instanceof KubeError && (failure === undefined || value.failure === failure);
}

function failureOf(status: number): KubeFailure {
  switch (status) {
    case 0:
      return 'unreachable';
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'missing';
    case 409:
      return 'conflict';
    case 410:
      return 'expired';
    case 429:
      return 'throttled';
    default:
      return status >= 500 ? 'server' : 'invalid';
  }
}
