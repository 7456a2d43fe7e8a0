import { join } from 'node:path';

/** What lies where in the folder of `seckill up --state DIR`. Other programs read endpoints.json; it is kept stable. */
export interface StateFolder {
  root: string;
  endpoints: string;
  tokenKeys: string;
  events: string;
  processes: string;
  logs: string;
  lease: string;
  notices: string;
  up: string;
  routes: string;
  edge: string;
  redis: string;
  mysql: string;
  kafka: string;
  prometheus: string;
  /** Files that tell Prometheus what to read. */
  targets: string;
}

export function stateFolder(root: string): StateFolder {
  return {
    root,
    endpoints: join(root, 'endpoints.json'),
    tokenKeys: join(root, 'token-keys.json'),
    events: join(root, 'events'),
    processes: join(root, 'processes'),
    logs: join(root, 'logs'),
    lease: join(root, 'lease'),
    notices: join(root, 'notices.jsonl'),
    up: join(root, 'up'),
    routes: join(root, 'edge', 'routes.json'),
    edge: join(root, 'edge'),
    redis: join(root, 'redis'),
    mysql: join(root, 'mariadb'),
    kafka: join(root, 'kafka'),
    prometheus: join(root, 'prometheus'),
    targets: join(root, 'prometheus', 'targets'),
  };
}
