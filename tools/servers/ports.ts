import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { setupError } from './errors.ts';
import { PORT_ATTEMPTS, PORT_FIRST, PORT_LAST } from './limits.ts';

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** A loopback port on which nothing listens. It proves nothing about who answers there later: ask the server. */
export const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    const port = randomInt(PORT_FIRST, PORT_LAST);
    if (await isFree(port)) return port;
  }
  throw setupError(`No free loopback port between ${PORT_FIRST} and ${PORT_LAST} in ${PORT_ATTEMPTS} attempts.`);
};
