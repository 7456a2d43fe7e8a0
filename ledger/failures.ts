import { ConnectionError, DatabaseError } from 'sequelize';
import { isSeckillError } from '../services/domain/errors.ts';

/**
 * What a failed statement means for its transaction. `conflict`: rolled back by the server (deadlock, lock wait), begin
 * anew. `lost`: the connection or the server went away, so that the outcome is unknown; begin anew too, because every
 * transaction of the ledger is harmless the second time. `duplicate`: a unique key was taken. `data`: a value does not fit
 * its column, and never will.
 */
export type FailureKind = 'conflict' | 'lost' | 'duplicate' | 'data' | 'other';

const CONFLICT = new Set([
  1205, // lock wait timeout
  1213, // deadlock
]);

const LOST_SERVER_ERRORS = new Set([
  1040, // too many connections
  1053, // server shutdown in progress
  1079, // MySQL: normal shutdown
  1290, // read-only, in a failover
  1317, // query interrupted
  1836, // read-only mode
  1927, // MariaDB: connection was killed
  4031, // MySQL: disconnected because of inactivity
]);

const LOST_CLIENT_ERRORS = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_PACKETS_OUT_OF_ORDER',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

const DUPLICATE_ENTRY = 1062;

/** The server is there, and does not want this user. */
const DENIED = new Set([1044, 1045, 1698]);

/** SQLSTATE class 22 is "data exception"; these come with other classes. */
const DATA_ERRORS = new Set([
  1048, // must not be null
  1265, // cut short
  1366, // wrong text for the column
]);

interface SqlErrorShape {
  sqlState?: unknown;
  code?: unknown;
  errno?: unknown;
  fatal?: unknown;
}

/** Whether waiting may help somebody who was refused a connection: the server is away, or busy with another migration. */
export function isAway(error: unknown): boolean {
  if (isSeckillError(error, 'SECKILL_ERR_UNAVAILABLE')) return !isDenied(error.cause);
  return failureKind(error) === 'lost' && !isDenied(error);
}

function isDenied(error: unknown): boolean {
  const original = error instanceof ConnectionError ? error.original : error;
  return original instanceof Error && DENIED.has((original as Error & SqlErrorShape).errno as number);
}

export function failureKind(error: unknown): FailureKind {
  if (error instanceof ConnectionError) return 'lost';
  if (error instanceof DatabaseError) return failureKind(error.original);
  if (!(error instanceof Error)) return 'other';
  const { code, errno, fatal, sqlState } = error as Error & SqlErrorShape;
  if (errno === DUPLICATE_ENTRY) return 'duplicate';
  if (typeof errno === 'number' && CONFLICT.has(errno)) return 'conflict';
  if (typeof errno === 'number' && DATA_ERRORS.has(errno)) return 'data';
  if (typeof sqlState === 'string' && sqlState.startsWith('22')) return 'data';
  if (fatal === true) return 'lost';
  if (typeof errno === 'number' && LOST_SERVER_ERRORS.has(errno)) return 'lost';
  return typeof code === 'string' && LOST_CLIENT_ERRORS.has(code) ? 'lost' : 'other';
}
