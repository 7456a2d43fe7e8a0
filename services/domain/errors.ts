/**
 * The one table of errors: code → HTTP status, whether the same request may succeed later, and a sentence.
 * docs/errors.md tells people the same; a test compares the two both ways.
 */
export const ERRORS = {
  SECKILL_ERR_TOKEN_MISSING: { status: 401, retryable: false, message: 'The request carries no admission token.' },
  SECKILL_ERR_TOKEN_MALFORMED: { status: 401, retryable: false, message: 'The admission token cannot be read.' },
  SECKILL_ERR_TOKEN_KEY_UNKNOWN: {
    status: 401,
    retryable: false,
    message: 'The admission token names a key that is not in use.',
  },
  SECKILL_ERR_TOKEN_FORGED: { status: 401, retryable: false, message: 'The admission token was not signed by us.' },
  SECKILL_ERR_TOKEN_TOO_EARLY: { status: 401, retryable: true, message: 'The admission token is not valid yet.' },
  SECKILL_ERR_TOKEN_EXPIRED: { status: 401, retryable: false, message: 'The admission token has expired.' },
  SECKILL_ERR_TOKEN_OTHER_EVENT: {
    status: 403,
    retryable: false,
    message: 'The admission token was issued for another event.',
  },
  SECKILL_ERR_REQUEST_INVALID: { status: 400, retryable: false, message: 'The request does not fit its schema.' },
  SECKILL_ERR_BODY_TOO_LARGE: { status: 413, retryable: false, message: 'The body is larger than 1 KiB.' },
  SECKILL_ERR_MEDIA_TYPE: { status: 415, retryable: false, message: 'The body must be application/json.' },
  SECKILL_ERR_ROUTE_UNKNOWN: { status: 404, retryable: false, message: 'There is no such route.' },
  SECKILL_ERR_EVENT_UNKNOWN: { status: 404, retryable: true, message: 'No event of this name is known here (yet).' },
  SECKILL_ERR_RESERVATION_UNKNOWN: {
    status: 404,
    retryable: true,
    message: 'This buyer has no reservation of this id.',
  },
  SECKILL_ERR_ORDER_UNKNOWN: { status: 404, retryable: true, message: 'This buyer has no order of this id (yet).' },
  SECKILL_ERR_CONFLICT: {
    status: 409,
    retryable: false,
    message: 'The same admission token was used before with other units.',
  },
  SECKILL_ERR_LIMIT_EXCEEDED: {
    status: 409,
    retryable: false,
    message: 'The buyer would have more units than allowed.',
  },
  SECKILL_ERR_SOLD_OUT: { status: 409, retryable: true, message: 'Fewer units are left than were asked for.' },
  SECKILL_ERR_NOT_OPEN: { status: 409, retryable: true, message: 'The sale has not opened yet.' },
  SECKILL_ERR_CLOSED: { status: 410, retryable: false, message: 'The sale is over.' },
  SECKILL_ERR_PAUSED: { status: 503, retryable: true, message: 'The sale is paused.' },
  SECKILL_ERR_NOT_READY: { status: 503, retryable: true, message: 'The stock of this event is not ready.' },
  SECKILL_ERR_LATE: {
    status: 503,
    retryable: true,
    message: 'The attempt came too late to be decided; nothing was taken.',
  },
  SECKILL_ERR_OVERLOADED: { status: 503, retryable: true, message: 'Too many requests are in flight.' },
  SECKILL_ERR_UNAVAILABLE: { status: 503, retryable: true, message: 'A server that this answer needs is away.' },
  SECKILL_ERR_INTERNAL: { status: 500, retryable: true, message: 'Something went wrong that should not have.' },
  /** Not answers, but what processes stop or report with. */
  SECKILL_ERR_CONFIG: { status: 500, retryable: false, message: 'The configuration is wrong.' },
  SECKILL_ERR_REDIS_UNKNOWN: { status: 500, retryable: true, message: 'Redis did not answer; the outcome is unknown.' },
  SECKILL_ERR_KUBERNETES: { status: 500, retryable: true, message: 'The Kubernetes API did not do what was asked.' },
} as const satisfies Record<string, { status: number; retryable: boolean; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An operating error with its code from the table. `message` says what was being done; `cause` keeps what happened.
 * Expected outcomes are values, never this.
 */
export class SeckillError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = ERRORS[code].message, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SeckillError';
    this.code = code;
  }
}

export function isSeckillError(value: unknown, code?: ErrorCode): value is SeckillError {
  return value instanceof SeckillError && (code === undefined || value.code === code);
}
