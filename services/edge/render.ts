import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Eta } from 'eta';
import { ERRORS, type ErrorCode, SeckillError } from '../domain/errors.ts';
import { UNKNOWN_RETRY_AFTER_SECONDS } from '../domain/limits.ts';
import { METRICS, type MetricSpec } from '../kit/metrics/catalogue.ts';
import { problemOf } from '../kit/problem.ts';
import { EDGE_LIMITS } from './limits.ts';

export interface EdgeOptions {
  /** Where to listen; 127.0.0.1 unless said otherwise. */
  address?: string;
  port: number;
  /**
   * `{ "events": { "NAMESPACE/NAME": ["IP:PORT", …] }, "orders": [...], "any": [...] }`, replaced as a whole whenever it
   * changes. Addresses are IP addresses. Events that are not in it are brought to `any`; without `any` they are unknown.
   * With `"leaving": "yes"` every answer ends its connection.
   */
  routesFile: string;
  /** Holds the pid file, the log and the temporary files; absolute. */
  dir: string;
  nginx: {
    /** Holds ndk_http_module.so and ngx_http_lua_module.so; absent when Lua is built in. */
    modulesDir?: string;
    luaPackagePath: string;
    /** Started by root, nginx would run its workers as `nobody`, who cannot read our folders. */
    needsUserDirective: boolean;
  };
  workers: number;
  /** Proxies in front of us, as CIDRs: only theirs is the `X-Forwarded-For` that says who a buyer is. */
  trustedProxies?: readonly string[];
  /** Where pods and edges come and go: connections are not kept for longer than the bounds of limits.ts. */
  capConnectionAge?: boolean;
  /** A Unix socket on which nginx tells its numbers, `/status` and `/metrics`; none when absent. */
  statusSocket?: string;
  /** A port of 127.0.0.1 on which it tells the same; none when absent. */
  adminPort?: number;
  /** `stderr`; by default a file in `dir`. */
  errorLog?: 'stderr';
}

const PROBLEMS: readonly { name: string; code: ErrorCode; retryAfterSeconds?: number }[] = [
  { name: 'request_invalid', code: 'SECKILL_ERR_REQUEST_INVALID' },
  { name: 'event_unknown', code: 'SECKILL_ERR_EVENT_UNKNOWN' },
  { name: 'route_unknown', code: 'SECKILL_ERR_ROUTE_UNKNOWN' },
  { name: 'body_too_large', code: 'SECKILL_ERR_BODY_TOO_LARGE' },
  {
    name: 'unavailable',
    code: 'SECKILL_ERR_UNAVAILABLE',
    retryAfterSeconds: EDGE_LIMITS.unavailableRetryAfterSeconds,
  },
];

function headOf({ name, type, help }: MetricSpec): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

/** How nginx begins what it tells of each of its metrics. */
const HEADS = {
  requests: headOf(METRICS.edgeRequests),
  retries: headOf(METRICS.edgeRetries),
  connections: headOf(METRICS.edgeConnections),
  accepted: headOf(METRICS.edgeAccepted),
  dropped: headOf(METRICS.edgeDropped),
};

/** The whole nginx.conf of the edge. All that nginx writes is inside of `dir`. */
export function renderEdge({ address = '127.0.0.1', trustedProxies = [], ...options }: EdgeOptions): string {
  const template = readFileSync(new URL('./nginx.conf.eta', import.meta.url), 'utf8');
  const problems = PROBLEMS.map(({ name, code, retryAfterSeconds }) => ({
    name,
    retryAfterSeconds,
    status: ERRORS[code].status,
    body: JSON.stringify(problemOf(code)),
  }));
  const lost = {
    retryAfterSeconds: UNKNOWN_RETRY_AFTER_SECONDS,
    body: JSON.stringify({ status: 'unknown', retryAfterSeconds: UNKNOWN_RETRY_AFTER_SECONDS }),
  };
  const unavailable = {
    status: ERRORS.SECKILL_ERR_UNAVAILABLE.status,
    body: JSON.stringify(problemOf('SECKILL_ERR_UNAVAILABLE')),
  };
  const { statusSocket, adminPort } = options;
  const privateListeners = [
    ...(statusSocket === undefined ? [] : [`unix:${statusSocket}`]),
    ...(adminPort === undefined ? [] : [`127.0.0.1:${adminPort}`]),
  ];
  const eta = new Eta({ autoEscape: false });
  return eta.renderString(template, {
    ...options,
    address: address.includes(':') ? `[${address}]` : address,
    trustedProxies: trustedProxies.map(cidr),
    limits: EDGE_LIMITS,
    problems,
    lost,
    unavailable,
    privateListeners,
    heads: HEADS,
    quote,
    luaText,
  });
}

/** An address or a range of them, as nginx reads it. Anything else might say something quite different there. */
function cidr(text: string): string {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  if (version !== 0 && rest.length === 0 && (bits === '' || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)))
    return text;
  throw new SeckillError(
    'SECKILL_ERR_CONFIG',
    `SECKILL_EDGE_TRUSTED_PROXIES must name IP addresses or CIDRs, not "${text}".`,
  );
}

/** A text for nginx. It has no escape for `$` in most places, so that paths with one are refused rather than misread. */
function quote(text: string): string {
  if (/[$"\\\n]/.test(text))
    throw new SeckillError(
      'SECKILL_ERR_CONFIG',
      `nginx cannot be told of a path with quotes, dollars or backslashes: ${text}`,
    );
  return `"${text}"`;
}

/** A text for Lua, in bytes that need no thought. */
function luaText(text: string): string {
  return `"${[...Buffer.from(text)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}
