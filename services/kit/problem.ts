import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { ERRORS, type ErrorCode } from '../domain/errors.ts';

const PROBLEM_ID = 'Problem';

/** An answer of RFC 9457. `code` is stable and comes from the one table of errors; `detail` is for people. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    unitsLeft: Type.Optional(Type.Integer({ minimum: 0 })),
    startTime: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), message: Type.String() }))),
  },
  { $id: PROBLEM_ID, description: 'What went wrong, as RFC 9457 has it; code is stable.' },
);

/** Response schemas for a route that can answer with these statuses, for `schema.response`. */
export function problemResponses(codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [
      status,
      { description: found.join(', '), content: { 'application/problem+json': { schema: Type.Ref(PROBLEM_ID) } } },
    ]),
  );
}

export interface ProblemExtras {
  detail?: string | undefined;
  retryAfterSeconds?: number | undefined;
  /** How many units could still be asked for. */
  unitsLeft?: number | undefined;
  /** When the sale opens, ISO 8601. */
  startTime?: string | undefined;
  /** The fields that do not fit, with what is expected of them. */
  errors?: { field: string; message: string }[] | undefined;
}

/** Answers with the code's status and its problem document. */
export function sendProblem(reply: FastifyReply, code: ErrorCode, extras: ProblemExtras = {}): FastifyReply {
  if (extras.retryAfterSeconds !== undefined) reply.header('retry-after', extras.retryAfterSeconds);
  reply.answer = code;
  const { status } = ERRORS[code];
  // RFC 9110 §15.5.2: whoever is asked who he is, is told how to say it.
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(problemText(code, extras));
}

/** The documents without their end, by code: a sold-out sale sends the same one a million times. */
const beginnings = new Map<ErrorCode, string>();

function problemText(code: ErrorCode, extras: ProblemExtras): string {
  if (extras.detail !== undefined || extras.startTime !== undefined || extras.errors !== undefined) {
    return JSON.stringify(problemOf(code, extras));
  }
  let beginning = beginnings.get(code);
  if (beginning === undefined) {
    beginning = JSON.stringify(problemOf(code)).slice(0, -1);
    beginnings.set(code, beginning);
  }
  return extras.unitsLeft === undefined ? `${beginning}}` : `${beginning},"unitsLeft":${extras.unitsLeft}}`;
}

/** The problem document of a code. */
export function problemOf(code: ErrorCode, { detail, unitsLeft, startTime, errors }: ProblemExtras = {}): object {
  const { status, message } = ERRORS[code];
  return {
    type: `urn:seckill:error:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail: detail ?? message,
    unitsLeft,
    startTime,
    errors,
  };
}
