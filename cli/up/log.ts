import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import type { StateFolder } from '../../operator/platform/host/state-folder.ts';
import type { Log } from '../../services/kit/log.ts';

/** What `up` itself logs goes to a file like everybody's; the terminal is for people. */
export function createUpLog({ logs }: StateFolder): Log {
  mkdirSync(logs, { recursive: true });
  const destination = pino.destination({ dest: join(logs, 'up.log'), sync: true });
  return pino({ level: 'info', base: { role: 'up' }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
