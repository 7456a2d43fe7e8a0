import { type Logger, pino } from 'pino';

export type Log = Logger;

export interface LogOptions {
  role: string;
  instance: string;
  level: string;
}

/** JSON lines on stdout. Messages are constant, what varies stands in fields; no secrets and no raw buyer ids. */
export function createLog({ role, instance, level }: LogOptions): Log {
  return pino({ level, base: { role, instance }, timestamp: pino.stdTimeFunctions.isoTime });
}
