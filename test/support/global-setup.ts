import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { messageOf } from '../../tools/servers/errors.ts';
import { startKafka } from '../../tools/servers/kafka.ts';
import { startMariadb } from '../../tools/servers/mariadb.ts';
import { serverOptions } from '../../tools/servers/options.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where a test file asks for the servers that all files share. */
    sharedServersUrl: string;
  }
}

export interface SharedServers {
  '/kafka': { brokers: string[] };
  '/mysql': { url: string };
}

/** What the shared servers need in order to stop. */
type Stoppable = { close(): Promise<void> };

/**
 * Nobody kills this broker, so its session may be long: one that the controller gives up for a second's silence, on a
 * busy machine, loses its partitions for a moment, and a send comes twice.
 */
const KAFKA_CONFIG = { 'broker.session.timeout.ms': '30000' };

/**
 * One Kafka and one MariaDB for the whole run, each started when the first test file asks: a run of files that need
 * neither does not wait for them. Servers that the user named (SECKILL_KAFKA_BROKERS, SECKILL_MYSQL_URL) come first.
 */
const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const options = serverOptions(process.env);
  const started: Stoppable[] = [];
  const startOnce = <T>(start: () => Promise<T>): (() => Promise<T>) => {
    let starting: Promise<T> | undefined;
    return () => {
      starting ??= start().catch((error: unknown) => {
        // The next file that asks, or the second attempt of this one, starts another.
        starting = undefined;
        throw error;
      });
      return starting;
    };
  };
  const kafka = startOnce(async (): Promise<SharedServers['/kafka']> => {
    if (options.kafkaBrokers !== undefined) return { brokers: options.kafkaBrokers };
    const server = await startKafka(options, { config: KAFKA_CONFIG });
    started.push(server);
    return { brokers: server.brokers };
  });
  const mysql = startOnce(async (): Promise<SharedServers['/mysql']> => {
    if (options.mysqlUrl !== undefined) return { url: options.mysqlUrl };
    const server = await startMariadb(options);
    started.push(server);
    return { url: server.url };
  });

  const http = createServer((request, response) => {
    const answer = request.url === '/kafka' ? kafka() : mysql();
    answer.then(
      (body) => response.end(JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  project.provide('sharedServersUrl', `http://127.0.0.1:${port}`);
  return async () => {
    http.closeAllConnections();
    http.close();
    await Promise.all(started.map((server) => server.close()));
  };
};

export { setup };
