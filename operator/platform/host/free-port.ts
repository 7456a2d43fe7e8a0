import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { PORT_ATTEMPTS, PORT_FIRST, PORT_LAST } from './limits.ts';

/** A loopback port that nothing listens on at the moment. Who loses the race for it dies and gets another one. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    const port = randomInt(PORT_FIRST, PORT_LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free loopback port between ${PORT_FIRST} and ${PORT_LAST} in ${PORT_ATTEMPTS} attempts`);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
