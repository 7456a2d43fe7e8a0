import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { NODE_ADDRESS } from '../../tools/cluster/place.ts';
import { startKafka } from '../../tools/servers/kafka.ts';
import { startMariadb } from '../../tools/servers/mariadb.ts';
import { serverOptions } from '../../tools/servers/options.ts';
import { startRedis } from '../../tools/servers/redis.ts';

// Redis, Kafka and MariaDB in the network namespace of the cluster, on the node's address: run by `nsenter --net`. It
// prints their addresses as one line of JSON and serves until it is ended; the kernel ends the servers with it.

const PORTS = { redis: 6_379, kafka: 9_092, controller: 9_093, mysql: 3_306 } as const;
const DATABASE = 'seckill';

const [dir = ''] = process.argv.slice(2);
const options = serverOptions(process.env);
const everywhere = `PLAINTEXT://0.0.0.0:${PORTS.kafka}`;

const [, , mariadb] = await Promise.all([
  startRedis(options, {
    dir: join(dir, 'redis'),
    port: PORTS.redis,
    // Without a password it would refuse whoever is not on its own machine, and pods are not.
    config: { bind: `127.0.0.1 ${NODE_ADDRESS}`, 'protected-mode': 'no' },
  }),
  startKafka(options, {
    dir: join(dir, 'kafka'),
    port: PORTS.kafka,
    config: {
      'controller.quorum.voters': `1@127.0.0.1:${PORTS.controller}`,
      listeners: `${everywhere},CONTROLLER://127.0.0.1:${PORTS.controller}`,
      'advertised.listeners': `PLAINTEXT://${NODE_ADDRESS}:${PORTS.kafka}`,
    },
  }),
  startMariadb(options, { dir: join(dir, 'mariadb'), port: PORTS.mysql, config: { 'bind-address': '0.0.0.0' } }),
]);
const connection = await createConnection(mariadb.url);
await connection.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
await connection.query(`CREATE USER '${DATABASE}'@'%' IDENTIFIED BY '${DATABASE}'`);
await connection.query(`GRANT ALL ON ${DATABASE}.* TO '${DATABASE}'@'%'`);
await connection.end();

const addresses = {
  redisUrl: `redis://${NODE_ADDRESS}:${PORTS.redis}`,
  kafkaBrokers: `${NODE_ADDRESS}:${PORTS.kafka}`,
  mysqlUrl: `mysql://${DATABASE}:${DATABASE}@${NODE_ADDRESS}:${PORTS.mysql}/${DATABASE}`,
};
process.stdout.write(`${JSON.stringify(addresses)}\n`);
