import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Type } from 'typebox';
import { createHttp } from '../kit/http.ts';
import { runProcess } from '../kit/run.ts';
import { createAddressBook } from './address-book.ts';
import { startAgent } from './agent.ts';
import { AGENT_LIMITS } from './limits.ts';
import { startNginx } from './nginx.ts';
import { renderEdge } from './render.ts';
import { TARGET_PATTERN } from './route-table.ts';

const EDGE_VARIABLES = {
  SECKILL_EDGE_ROUTES_URL: Type.String({
    pattern: '^https?://.+',
    description: "the URL of the operator's table of routes, such as http://OPERATOR:8080/routes",
  }),
  SECKILL_EDGE_ORDERS: Type.String({
    pattern: TARGET_PATTERN,
    description: 'HOST:PORT of the service that tells of orders',
  }),
  SECKILL_EDGE_DIR: Type.String({ default: '/tmp/edge', minLength: 1, description: 'a folder that may be written' }),
  SECKILL_EDGE_TRUSTED_PROXIES: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f:./]+(,[0-9A-Fa-f:./]+)*$',
      description: 'a comma-separated list of CIDRs such as 10.0.0.0/8',
    }),
  ),
  SECKILL_EDGE_DNS: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f:.\\[\\]]+(,[0-9A-Fa-f:.\\[\\]]+)*$',
      description: 'a comma-separated list of name servers, IP or IP:PORT',
    }),
  ),
  SECKILL_EDGE_WORKERS: Type.Integer({
    default: availableParallelism(),
    minimum: 1,
    maximum: 64,
    description: 'the number of nginx workers, from 1 to 64',
  }),
  SECKILL_ADMIN_PORT: Type.Integer({
    default: 8081,
    minimum: 0,
    maximum: 65_535,
    description: 'the port of probes and metrics, from 0 (any free port) to 65535',
  }),
  SECKILL_NGINX: Type.String({ default: '/usr/sbin/nginx', minLength: 1, description: 'the path of nginx' }),
  SECKILL_NGINX_MODULES: Type.Optional(
    Type.String({ description: 'the folder of its Lua modules; absent when Lua is built in' }),
  ),
  SECKILL_NGINX_LUA_PATH: Type.String({
    default: '/usr/share/lua/5.1/?.lua;;',
    minLength: 1,
    description: 'where Lua looks for lua-resty-core, as lua_package_path has it',
  }),
};

await runProcess({
  role: 'edge',
  schema: Type.Object(EDGE_VARIABLES),
  async start({ config, log, metrics, health, signal }) {
    const dir = resolve(config.SECKILL_EDGE_DIR);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    health.setReady('routes', false, 'the operator has not told its routes yet');
    health.setReady('nginx', false, 'it is starting');
    const servers = config.SECKILL_EDGE_DNS?.split(',');
    const lookups = metrics.tally('edgeLookups');
    const book = createAddressBook({
      ...(servers === undefined ? {} : { servers }),
      log,
      onLookup: (outcome) => lookups.add(outcome),
    });
    const agent = await startAgent({
      tableUrl: config.SECKILL_EDGE_ROUTES_URL,
      orders: config.SECKILL_EDGE_ORDERS,
      ...{ dir, book, log },
    });

    const modulesDir = config.SECKILL_NGINX_MODULES;
    const statusSocket = join(dir, 'status.sock');
    const nginx = await startNginx({
      program: config.SECKILL_NGINX,
      ...{ dir, statusSocket, log },
      env: process.env,
      config: renderEdge({
        address: config.SECKILL_HOST,
        port: config.SECKILL_PORT,
        ...{ dir, statusSocket, errorLog: 'stderr', capConnectionAge: true },
        routesFile: join(dir, 'routes.json'),
        workers: config.SECKILL_EDGE_WORKERS,
        trustedProxies: config.SECKILL_EDGE_TRUSTED_PROXIES?.split(',') ?? [],
        nginx: {
          luaPackagePath: config.SECKILL_NGINX_LUA_PATH,
          ...(modulesDir === undefined ? {} : { modulesDir }),
          needsUserDirective: process.getuid?.() === 0,
        },
      }),
    });
    void nginx.ended.then((how) => {
      if (signal.aborted) return;
      log.fatal({ how }, 'nginx has ended');
      process.exit(1);
    });

    const watch = async (): Promise<void> => {
      health.setReady('nginx', (await nginx.numbers()) !== undefined, 'it does not answer');
      health.setReady('routes', agent.informed(), 'the operator has not told its routes yet');
    };
    const watching = (async () => {
      while (!signal.aborted) {
        await watch();
        await delay(AGENT_LIMITS.resolveEveryMs, undefined, { signal }).catch(() => {});
      }
    })();

    metrics.gauge('edgePeers', () => agent.peers());
    metrics.gauge('edgeRoutesAgeSeconds', () => agent.tableAgeSeconds());
    metrics.append(nginx.metrics);
    const http = createHttp({ log, metrics, health });
    const url = await http.listen({ host: config.SECKILL_HOST, port: config.SECKILL_ADMIN_PORT });
    log.info({ url }, 'listening');
    return {
      async stop() {
        await agent.leave();
        await delay(AGENT_LIMITS.leaveMs);
        await nginx.quit();
        await Promise.all([agent.stop(), watching]);
        await http.close();
      },
    };
  },
});
