import { type Logger, pino } from 'pino';

export type Log = Logger;

export interface LogOptions {
  role: string;
  instance: string;
  level: string;
}

/** JSON lines on stdout. Messages are constant, what varies stands in fields; no secrets and no raw buyer ids. */
export function createLog({ role, instance, level }: LogOptions): Log {
  const options = { level, base: { role, instance }, timestamp: pino.stdTimeFunctions.isoTime };
  // Synchronous, so that the last lines of a process that is killed are there; they are few, and never of the hot path.
  return pino(options, pino.destination({ dest: 1, sync: true }));
}
