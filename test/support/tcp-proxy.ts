import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** From now on nothing passes through the connections that are there; they stay open. New ones work. */
  freeze(): void;
  /** Breaks all connections, and every new one until `restore`. */
  cut(): void;
  restore(): void;
  /** Bytes from the server come this much later; 0 ends it. */
  slow(ms: number): void;
  /** Connections that were opened since the start. */
  opened(): number;
  close(): Promise<void>;
}

/** Stands between a client and a server on this machine, and does what networks do. */
export const startTcpProxy = async (targetPort: number): Promise<TcpProxy> => {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let [broken, delayMs, opened] = [false, 0, 0];

  const listener = createServer((client) => {
    if (broken) {
      client.resetAndDestroy();
      return;
    }
    opened += 1;
    const server = connect(targetPort, '127.0.0.1');
    const pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('close', end);
      socket.on('error', end);
    }
    client.on('data', (bytes) => server.write(bytes));
    // Timers of equal length fire in their order, and so do the bytes; a shorter one must not overtake.
    let dueAtMs = 0;
    server.on('data', (bytes) => {
      const now = performance.now();
      dueAtMs = Math.max(dueAtMs, now + delayMs);
      if (dueAtMs <= now) client.write(bytes);
      else setTimeout(() => client.writable && client.write(bytes), dueAtMs - now);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  return {
    port: (listener.address() as AddressInfo).port,
    freeze() {
      for (const { client, server } of pairs) {
        // What is lost on the way is lost: nobody hears of it, not even by a full buffer.
        for (const socket of [client, server]) socket.removeAllListeners('data').resume();
      }
    },
    cut() {
      broken = true;
      for (const { client, server } of pairs) {
        client.resetAndDestroy();
        server.destroy();
      }
    },
    restore() {
      broken = false;
    },
    slow(ms) {
      delayMs = ms;
    },
    opened: () => opened,
    async close() {
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      await new Promise((resolve) => listener.close(resolve));
    },
  };
};
